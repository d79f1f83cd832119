"""`archspec bench`: one model under several runtimes, on the present machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

import archspec
from archspec.cli_common import (
    attention_option,
    one_of,
    sized,
    spec_argument,
    spec_options,
    table_format_option,
    weights_options,
    working,
    write_tables,
)
from archspec.measuring.worker import HELD

RUNTIMES = tuple(HELD)

if TYPE_CHECKING:
    from archspec.reports.table import Form


@click.command()
@spec_argument
@click.argument("sizes", metavar="[SIZE=NUMBER]...", nargs=-1, callback=sized)
@spec_options
@weights_options
@attention_option
@click.option("--decode", is_flag=True, help="Measure a token behind a cache, and not a whole sequence.")
@click.option("--past", type=click.IntRange(1), metavar="N", help="Tokens in that cache; else all but one.")
@click.option(
    "--threads",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    metavar="N",
    help="Threads of a runtime.",
)
@click.option(
    "--runtime", "runtimes", type=click.Choice(RUNTIMES), multiple=True,
    help="Measure this one; repeatable. Ratios are to the first.  [default: all]",
)  # fmt: skip
@click.option(
    "--repeat", type=click.IntRange(1), metavar="N",
    help="Rounds that are counted.  [default: 100, or as many as take a minute]",
)  # fmt: skip
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write every time that was taken, as JSON.",
)
@table_format_option
def bench(
    spec: str, sizes: dict[str, int], graph: str | None, preset: str | None, overrides: dict[str, str],
    weights: Path | None, init: int | None, runtimes: tuple[str, ...], out: Path | None,
    form: Form | Literal["json"], **given: Any,
) -> None:  # fmt: skip
    """How fast a model is under torch and ONNX Runtime.

    Latency, throughput, memory and size of files of a forward pass on this machine's CPU: torch eager and
    compiled, ONNX Runtime in float32 and as int8. Each has a process of its own, and all run once a round, so
    that a machine which slows down slows all of them. Weights are drawn from seed 0 where none are given.
    """
    one_of(weights, init, required=False)
    loaded = archspec.load(spec, graph=graph, preset=preset, overrides=overrides)
    with working("measuring"):
        found = archspec.bench(
            loaded, sizes, weights=weights, seed=init or 0, runtimes=runtimes or RUNTIMES, **given
        )
    write_tables([found.table()], form)
    if out is not None:
        archspec.save_bench(found, out)
