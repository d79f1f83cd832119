"""Commands about cost: analyze. None of them needs torch, but for what measures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import click

import archspec
from archspec.cli_common import attention_option, spec_argument, spec_options, write_json

if TYPE_CHECKING:
    from archspec.reports.table import Form


def _sizes(context: click.Context, parameter: click.Parameter, values: Sequence[str]) -> dict[str, int]:
    """`B=8 S=1024` as numbers."""
    sizes = dict[str, int]()
    for value in values:
        name, equals, text = value.partition("=")
        if not equals or not text.lstrip("-").isdecimal() or not name:
            raise click.BadParameter(f"'{value}' is not SIZE=NUMBER", context, parameter)
        sizes[name] = int(text)
    return sizes


def _checkpoint(context: click.Context, parameter: click.Parameter, value: str) -> str | int:
    return int(value) if value.isdecimal() else value


@click.command()
@spec_argument
@click.argument("sizes", metavar="[SIZE=NUMBER]...", nargs=-1, callback=_sizes)
@spec_options
@attention_option
@click.option("--past", type=int, metavar="N", help="Tokens in the cache of a decoding step.")
@click.option("--dtype", default="bfloat16", show_default=True, help="The dtype of the model in inference.")
@click.option("--precision", default="mixed", show_default=True, help="The dtype policy of training.")
@click.option("--optimizer", default="adam", show_default=True, help="What keeps moments in training.")
@click.option(
    "--checkpoint",
    default="none",
    show_default=True,
    callback=_checkpoint,
    help="What is computed again: none, selective, full, or one layer in so many.",
)
@click.option(
    "--device", metavar="NAME", help="Time and money on this device: h100, a100-80gb, or a YAML file."
)
@click.option("--devices", type=int, default=1, show_default=True, help="How many of it train together.")
@click.option("--tokens", type=float, metavar="N", help="Tokens of a training run, such as 1e12.")
@click.option("--outputs", type=int, default=128, show_default=True, help="Tokens that a request asks for.")
@click.option("--format", "form", type=click.Choice(["text", "json", "csv", "markdown"]), default="text")
def analyze(
    spec: str, sizes: dict[str, int], graph: str | None, preset: str | None, overrides: dict[str, str],
    form: Form | Literal["json"], device: str | None, devices: int, tokens: float | None, outputs: int, **asked: Any,
) -> None:  # fmt: skip
    """What a model costs before anyone trains it.

    Parameters, FLOPs, memory, in numbers where the sizes are given (B=1 S=1024), in symbols where not.
    """
    loaded = archspec.load(spec, graph=graph, preset=preset, overrides=overrides)
    account = archspec.analyze(loaded, archspec.Question(sizes=sizes, **asked))
    place = archspec.Place(archspec.device(device), devices, tokens, outputs) if device else None
    found = archspec.cost_tables(account, place)
    if form == "json":
        write_json([table.record() for table in found])
    else:
        click.echo(archspec.render(found, form), nl=False)
