"""Commands that set costs side by side: compare, scale. None of them needs torch."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

import archspec
from archspec.atomic import write_text
from archspec.cli_budget import limit_options, limits, size_lists, values_of
from archspec.cli_common import (
    attention_option,
    load_named,
    spec_argument,
    table_format_option,
    write_tables,
)

if TYPE_CHECKING:
    from archspec.reports.table import Form

_SHOWN = 40  # points of a sweep that people are shown; files have all


def _specs_and_sizes(
    context: click.Context, parameter: click.Parameter, words: Sequence[str]
) -> tuple[list[str], dict[str, tuple[int, ...]]]:
    """`one:preset other.yaml B=1 S=512,4096`: specs, and sizes by name."""
    sized = [word for word in words if "=" in word and not Path(word).exists()]
    specs = list(dict.fromkeys(word for word in words if word not in sized))
    if len(specs) < 2:
        raise click.BadParameter("name at least two specs", context, parameter)
    return specs, size_lists(context, parameter, sized)


@click.command()
@click.argument("words", metavar="SPEC[:PRESET]... [SIZE=N,N]...", nargs=-1, callback=_specs_and_sizes)
@attention_option
@click.option("--dtype", default="bfloat16", show_default=True, help="The dtype of the models in inference.")
@click.option("--device", metavar="NAME", help="Time and money on this device: h100, t4, or a YAML file.")
@click.option("--outputs", type=int, default=128, show_default=True, help="Tokens that a request asks for.")
@click.option(
    "--by",
    type=click.Choice(["cost", "latency", "throughput", "memory", "training_memory", "flops", "params"]),
    help="What the recommended model is best in.  [default: cost, else latency, else flops]",
)
@limit_options
@table_format_option
def compare(
    words: tuple[list[str], dict[str, tuple[int, ...]]], device: str | None, outputs: int, by: str | None,
    form: Form | Literal["json"], **asked: Any,
) -> None:  # fmt: skip
    """Set models side by side, and recommend one within limits.

    Sizes may be lists (S=512,4096): each combination is a table. A model that cannot take a length, breaks
    a limit or does not fit the device is excluded, with the reason. Exit status 0 also where none is left.
    """
    specs, sizes = words
    allowed = limits(asked)
    place = archspec.Place(archspec.device(device), outputs=outputs) if device else None
    questions = [
        archspec.Question(sizes=dict(zip(sizes, each, strict=True)), **asked)
        for each in product(*sizes.values())
    ]
    loaded = {name: load_named(name) for name in specs}
    choices = archspec.compare(loaded, questions, limits=allowed, place=place, by=by)
    write_tables(archspec.comparison_tables(choices), form)


def _lists(
    context: click.Context, parameter: click.Parameter, values: Sequence[str]
) -> dict[str, tuple[int | str, ...]]:
    """`num_layers=12,24` as values by name."""
    found = dict[str, tuple[int | str, ...]]()
    for value in values:
        name, equals, text = value.partition("=")
        if not name.strip() or not equals or not text.strip():
            raise click.BadParameter(f"'{value}' is not NAME=VALUE, or NAME=VALUE,VALUE", context, parameter)
        found[name.strip()] = values_of(text)
    return found


@click.command()
@spec_argument
@click.argument("sizes", metavar="[SIZE=N,N]...", nargs=-1, callback=size_lists)
@click.option("--graph", metavar="NAME", help="Take one part of the spec, of those in 'graphs'.")
@click.option("--preset", metavar="NAME", help="Take the params of one of the spec's presets.")
@click.option(
    "--set",
    "params",
    metavar="NAME=V,V",
    multiple=True,
    callback=_lists,
    help="Values of a param: 12,24,48, or 64..1024..64 from, to, by. Repeatable: all combinations.",
)
@click.option("--of", default="params", show_default=True, metavar="TOTAL,TOTAL", help="What to compute.")
@click.option("--dtype", default="bfloat16", show_default=True, help="The dtype of weights and state.")
@click.option("--precision", default="mixed", show_default=True, help="The dtype policy of training.")
@click.option("--optimizer", default="adam", show_default=True, help="What keeps moments in training.")
@click.option("--svg", type=click.Path(path_type=Path), metavar="FILE", help="Draw the curves to a file.")
@table_format_option
def scale(
    spec: str, sizes: dict[str, tuple[int, ...]], graph: str | None, preset: str | None,
    params: dict[str, tuple[int | str, ...]], of: str, svg: Path | None, form: Form | Literal["json"],
    **asked: Any,
) -> None:  # fmt: skip
    """Totals over lists of params and sizes, exact, with curves.

    TOTAL is one of: params, active, weights, optimizer, state (per token), flops, exact_flops,
    training_flops. A combination that the spec refuses is a line with its reason.
    """
    loaded = archspec.load(spec, graph=graph, preset=preset)
    names = [name.strip() for name in of.split(",")]
    swept = archspec.scale(loaded, params, sizes, of=names, question=archspec.Question(**asked))
    if svg:
        write_text(svg, archspec.curves(swept, svg=True))
    if form == "text":
        click.echo(archspec.curves(swept))
    write_tables(archspec.scale_tables(swept, _SHOWN if form == "text" else None), form)
