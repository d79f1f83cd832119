"""Commands about cost: analyze. None of them needs torch, but for what measures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

import archspec
from archspec.cli_budget import limit_options, limits
from archspec.cli_common import (
    FINDINGS,
    attention_option,
    sized,
    spec_argument,
    spec_options,
    table_format_option,
    write_tables,
)

if TYPE_CHECKING:
    from archspec.reports.table import Form


def _checkpoint(context: click.Context, parameter: click.Parameter, value: str) -> str | int:
    return int(value) if value.isdecimal() else value


def _names(context: click.Context, parameter: click.Parameter, value: str) -> tuple[str, ...]:
    return tuple(filter(None, value.split(",")))


@click.command()
@spec_argument
@click.argument("sizes", metavar="[SIZE=NUMBER]...", nargs=-1, callback=sized)
@spec_options
@attention_option
@click.option("--past", type=click.IntRange(0), metavar="N", help="Tokens in the cache of a decoding step.")
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
@click.option("--lora", type=click.IntRange(1), metavar="RANK", help="Train adapters of this rank alone.")
@click.option("--targets", metavar="NAMES", default="", callback=_names, help="What gets adapters: q,v.")
@click.option("--dropout/--no-dropout", default=True, show_default=True, help="Whether training drops.")
@click.option(
    "--hardware",
    type=click.Choice(["cuda", "cpu"]),
    default="cuda",
    show_default=True,
    help="By whose rules tensors are kept.",
)
@click.option(
    "--picked",
    type=click.IntRange(0),
    default=1,
    show_default=True,
    help="A number that only data gives: documents in a text, or its tokens that look everywhere.",
)
@click.option(
    "--device", metavar="NAME", help="Time and money on this device: h100, a100-80gb, or a YAML file."
)
@click.option(
    "--devices", type=click.IntRange(1), default=1, show_default=True, help="How many of it train together."
)
@click.option(
    "--tokens",
    type=click.FloatRange(0, min_open=True),
    metavar="N",
    help="Tokens of a training run, such as 1e12.",
)
@click.option(
    "--outputs", type=click.IntRange(1), metavar="N", help="Tokens that a request asks for; else 128, or one."
)
@click.option(
    "--reached", type=click.Path(path_type=Path), metavar="FILE",
    help="Expect the efficiencies that `archspec profile -o FILE` measured.",
)  # fmt: skip
@click.option("--at-peak", is_flag=True, help="List what is alive when a forward pass needs most memory.")
@click.option(
    "--verify", is_flag=True, help="Compare with the real module on this machine's CPU, number by number."
)
@limit_options
@table_format_option
def analyze(
    spec: str, sizes: dict[str, int], graph: str | None, preset: str | None, overrides: dict[str, str],
    form: Form | Literal["json"], device: str | None, devices: int, tokens: float | None, outputs: int | None,
    reached: Path | None, at_peak: bool, verify: bool, **asked: Any,
) -> None:  # fmt: skip
    """What a model costs before anyone trains it.

    Parameters, FLOPs, memory, in numbers where the sizes are given (B=1 S=1024), in symbols where not.
    Exit status 1 where a limit (--max-…) is exceeded, or where --verify finds a difference without a reason.
    """
    allowed = limits(asked)
    loaded = archspec.load(spec, graph=graph, preset=preset, overrides=overrides)
    question = archspec.Question(sizes=sizes, **asked)
    account = archspec.analyze(loaded, question)
    place = _place(device, reached, devices=devices, tokens=tokens, outputs=outputs)
    verified = archspec.verify_cost(loaded, question) if verify else None
    costs = archspec.cost_tables(account, place, at_peak=at_peak)
    found = [*costs, *([verified.table()] if verified else [])]
    write_tables(found, form)
    if allowed:
        archspec.check_budget(account, allowed, place)
    if verified and not verified.agrees:
        click.get_current_context().exit(FINDINGS)


def _place(device: str | None, reached: Path | None, **given: Any) -> archspec.Place | None:
    if device is None:
        if reached is not None:
            raise click.UsageError("--reached needs --device")
        return None
    if reached is not None:
        given["reached"] = archspec.load_reached(reached)
    return archspec.Place(archspec.device(device), **given)
