"""The command that makes a model of a spec: build."""

from __future__ import annotations

from pathlib import Path

import click

import archspec
from archspec.cli_common import (
    attention_option,
    format_option,
    one_of,
    spec_argument,
    spec_options,
    weights_options,
    working,
    write_json,
)


@click.command()
@spec_argument
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), required=True, metavar="DIR", help="The folder to write."
)
@spec_options
@attention_option
@click.option(
    "--for",
    "device",
    type=click.Choice(["cpu", "cuda"]),
    default="cpu",
    show_default=True,
    help="Where the model will run, for --attention auto.",
)
@weights_options
@format_option
def build(
    spec: str, out: Path, graph: str | None, preset: str | None, overrides: dict[str, str], attention: str,
    device: str, weights: Path | None, init: int | None, as_json: bool,
) -> None:  # fmt: skip
    """Write the model as Python source that needs only torch.

    The folder gets model.py and spec.resolved.yaml, with --weights or --init also model.safetensors, and with
    --attention triton or auto the files of kernels that the model imports.
    """
    one_of(weights, init, required=False)
    loaded = archspec.load(spec, graph=graph, preset=preset, overrides=overrides)
    with working("building"):
        files = archspec.build(loaded, out, attention=attention, device=device, weights=weights, init=init)
    write_json([str(file) for file in files]) if as_json else click.echo("\n".join(map(str, files)))
