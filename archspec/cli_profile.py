"""`archspec profile`: how fast a model is on the present machine, beside what was estimated."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

import archspec
from archspec.cli_common import (
    attention_option,
    load_named,
    one_of,
    sized,
    spec_options,
    table_format_option,
    weights_options,
    working,
    write_tables,
)

if TYPE_CHECKING:
    from archspec.reports.measured import Profile
    from archspec.reports.table import Form


@click.command()
@click.argument("spec", metavar="[SPEC]", required=False)
@click.argument("sizes", metavar="[SIZE=NUMBER]...", nargs=-1, callback=sized)
@spec_options
@weights_options
@attention_option
@click.option("--dtype", default="float32", show_default=True, help="The dtype of the model.")
@click.option("--decode", is_flag=True, help="Measure a step of decoding too, behind a cache.")
@click.option("--past", type=click.IntRange(1), metavar="N", help="Tokens in that cache; else all but one.")
@click.option("--train", is_flag=True, help="Measure a step of training too, with AdamW.")
@click.option("--precision", default="fp32", show_default=True, help="The dtype policy of training.")
@click.option("--compile", "compiled", is_flag=True, help="Let torch.compile the model first.")
@click.option(
    "--repeat", type=click.IntRange(1), metavar="N",
    help="Runs that are counted.  [default: 100, or as many as take 10 seconds]",
)  # fmt: skip
@click.option(
    "--device", metavar="NAME", help="Estimate for this device.  [default: this machine, calibrated]"
)
@click.option(
    "--calibrate", is_flag=True, help="Measure the machine itself: FLOP/s, and bytes/s of its memory."
)
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), metavar="FILE",
    help="Write what was reached, for `analyze --reached`; with --calibrate the machine, for --device.",
)  # fmt: skip
@table_format_option
def profile(
    spec: str | None, sizes: dict[str, int], calibrate: bool, out: Path | None, form: Form | Literal["json"],
    **given: Any,
) -> None:  # fmt: skip
    """How fast a model is on the present machine.

    Latency, throughput and memory of a forward pass, measured with torch on a GPU where there is one, else on
    the CPU, beside what is estimated for a device; and the share of the device's peaks that was reached.
    Weights are drawn from seed 0 where none are given.

    With --calibrate and no SPEC the machine itself is measured: `archspec profile --calibrate -o my.yaml`
    writes a device that every --device takes.
    """
    if calibrate:
        if spec is not None:
            raise click.UsageError("--calibrate measures the machine: give no SPEC")
        _calibrate(out, form)
        return
    if spec is None:
        raise click.UsageError("give a SPEC, or --calibrate")
    found = _measured(spec, sizes, **given)
    write_tables(found.tables(), form)
    if out is not None:
        archspec.save_reached(found.reached(), out)


def _measured(
    spec: str, sizes: dict[str, int], *, graph: str | None, preset: str | None, overrides: dict[str, str],
    weights: Path | None, init: int | None, device: str | None, past: int | None, attention: str, dtype: str,
    precision: str, **work: Any,
) -> Profile:  # fmt: skip
    one_of(weights, init, required=False)
    loaded = archspec.load(load_named(spec), graph=graph, preset=preset, overrides=overrides)
    asked = archspec.Question(sizes=sizes, past=past, attention=attention, dtype=dtype, precision=precision)
    place = archspec.device(device) if device else None
    with working("measuring"):
        return archspec.profile(loaded, asked, weights=weights, seed=init or 0, device=place, **work)


def _calibrate(out: Path | None, form: Form | Literal["json"]) -> None:
    with working("measuring the machine"):
        found = archspec.calibrate()
    write_tables([archspec.device_table(found)], form)
    if out is not None:
        archspec.save_device(found, out)
