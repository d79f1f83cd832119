"""`archspec export`: a model for other runtimes, or a checkpoint for other libraries; `archspec doctor`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from msgspec import structs

import archspec
from archspec.cli_common import (
    FINDINGS,
    format_option,
    one_of,
    sized,
    spec_argument,
    spec_options,
    weights_options,
    working,
    write_json,
    write_tables,
)
from archspec.spec.spec import Spec

_PATH: Any = click.Path(path_type=Path)


def _names(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[str, ...]:
    return tuple(word.strip() for word in (value or "").split(",") if word.strip())


def _choice(*words: str) -> click.Choice[str]:
    return click.Choice(words)


@click.command()
@spec_argument
@click.argument("sizes", metavar="[SIZE=NUMBER]...", nargs=-1, callback=sized)
@click.option("-o", "--out", type=_PATH, metavar="DIR", help="The folder to write ONNX to.")
@click.option("--hf", type=_PATH, metavar="DIR", help="Write a checkpoint in Hugging Face format instead.")
@spec_options
@weights_options
@click.option(
    "--reference", is_flag=True,
    help="Leave the weights in the checkpoint's own files, and write the model beside them.",
)  # fmt: skip
@click.option(
    "--profile", type=_choice("standard", "portable", "genai"), default="standard", show_default=True,
    help="Operators of ai.onnx in opset 23, those of opset 18, or those of ONNX Runtime as well.",
)  # fmt: skip
@click.option(
    "--dtype", type=_choice("float32", "float16", "bfloat16"), default="float32", show_default=True,
    help="What weights are stored and results computed in.",
)  # fmt: skip
@click.option(
    "--mode", type=_choice("full", "cached", "prefill-decode", "encoder-decoder"), default="full",
    show_default=True,
    help="The whole sequence at once; with a cache, in one model or in two; an encoder and its decoder.",
)  # fmt: skip
@click.option(
    "--layout", type=_choice("optimum", "diffusers", "web", "genai"),
    help="The folder that a client loads: its modes, names, and the files beside the models.",
)  # fmt: skip
@click.option(
    "--quantize", type=_choice("int8", "int8-static", "int4"),
    help="Products in fewer bits: weights and activations, with ranges from --calibration, or weights alone.",
)  # fmt: skip
@click.option(
    "--calibration",
    type=_PATH,
    metavar="FILE",
    help="Inputs that --record wrote, for int8-static.",
)
@click.option("--quantize-embeddings", "embeddings", is_flag=True, help="Tables in 8 bits as well.")
@click.option(
    "--without", callback=_names, metavar="NAMES",
    help="Inputs to leave out, of those that are optional: attention_mask,position_ids.",
)  # fmt: skip
@click.option(
    "--external-data/--single-file", "external", default=None,
    help="Give weights a file of their own, or not.  [default: if they are more than 64 MiB]",
)  # fmt: skip
@click.option(
    "--provider", type=_choice("cpu", "cuda", "tensorrt"), default="cpu", show_default=True,
    help="What ONNX Runtime verifies the model on. Nothing else is put in its place.",
)  # fmt: skip
@click.option(
    "--verify/--no-verify", default=True, show_default=True,
    help="Run the written model at three sizes beside the original; where they differ, nothing is written.",
)  # fmt: skip
@click.option("--case", type=_PATH, metavar="FILE", help="Verify against recorded results, without torch.")
@click.option("--record", type=_PATH, metavar="FILE", help="Record inputs and results for --case, as .npz.")
@click.option(
    "--explain", is_flag=True, help="Write nothing; show how each operation becomes ONNX, or why it does not."
)  # fmt: skip
@format_option
def export(
    spec: str, graph: str | None, preset: str | None, overrides: dict[str, str], out: Path | None,
    hf: Path | None, weights: Path | None, init: int | None, explain: bool, as_json: bool, **given: Any,
) -> None:  # fmt: skip
    """Write a model as ONNX, and run it beside the original; or a checkpoint in Hugging Face format.

    The folder gets model.onnx, and model.onnx_data where weights are large. Needs --weights, or --init for
    random ones. Sizes that are known only at run time can be fixed: B=1 S=128.
    """
    loaded = archspec.load(spec, graph=graph, preset=preset, overrides=overrides)
    if explain:
        write_tables([archspec.verdicts(loaded, profile=given["profile"])], "json" if as_json else "text")
        return
    one_of(weights, init, required=True)
    if hf is not None:
        _alone(out, given)
        _hugging_face(loaded, hf, weights, init, as_json)
    else:
        _onnx(loaded, out, weights, init, given, as_json)


def _alone(out: Path | None, given: Mapping[str, Any]) -> None:
    """Raises UsageError for options that mean nothing beside --hf."""
    context = click.get_current_context()
    options = [p for p in context.command.params if p.name in given]
    typed = click.core.ParameterSource.COMMANDLINE
    said = [p for p in options if context.get_parameter_source(p.name) == typed]
    words = [*(["--out"] if out is not None else []), *(p.opts[0] for p in said)]
    if words:
        raise click.UsageError(f"--hf writes no ONNX; leave out {', '.join(words)}")


def _onnx(
    spec: Spec,
    out: Path | None,
    weights: Path | None,
    init: int | None,
    given: Mapping[str, Any],
    as_json: bool,
) -> None:
    if out is None and not given["reference"]:
        raise click.UsageError("give a folder to write to: --out DIR, or --hf DIR for a checkpoint")
    if given["reference"] and weights is None:
        raise click.UsageError("--reference needs --weights PATH")
    fields = (field.name for field in structs.fields(archspec.Format))
    what = archspec.Format(**{name: given[name] for name in fields})
    how = archspec.Verification(given["provider"], given["case"], given["record"], given["verify"])
    with working("exporting"):
        done = archspec.export(
            spec, out, weights=weights, init=init, reference=given["reference"], format=what, verification=how
        )
    write_json(done.record()) if as_json else write_tables(archspec.export_tables(done), "text")


def _hugging_face(spec: Spec, out: Path, weights: Path | None, init: int | None, as_json: bool) -> None:
    with working("writing the checkpoint"):
        model = weights if weights is not None else archspec.compile(spec, seed=init)
        archspec.export_hf(model, spec, out)
    write_json([str(out)]) if as_json else click.echo(str(out))


@click.command()
@format_option
def doctor(as_json: bool) -> None:
    """Say what is installed that models run on, and what of it is broken.

    Versions, providers of ONNX Runtime, GPUs, and packages that overwrote each other's files. The exit status
    is 1 where something has to be repaired.
    """
    found = archspec.doctor()
    write_json(found.record()) if as_json else click.echo(str(found))
    if found.findings:
        click.get_current_context().exit(FINDINGS)


__all__: Sequence[str] = ["doctor", "export"]
