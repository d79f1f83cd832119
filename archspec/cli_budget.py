"""Options that several commands about cost share: sizes, quantities, limits."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import click

from archspec.cli_common import Command
from archspec.quantity import Kind, quantity


class Quantity(click.ParamType[float]):
    """A number with a unit, as `archspec.quantity` reads it."""

    def __init__(self, kind: Kind) -> None:
        self.name = kind
        self.kind: Kind = kind

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            return value if isinstance(value, float) else quantity(value, self.kind)
        except ValueError as error:
            self.fail(str(error), param, ctx)


_COMMA = re.compile(r",(?![^\[(]*[\])])")  # outside of lists and calls
MOST = 1_000_000  # numbers of a range
_STEPS = re.compile(r"(\d+)\.\.(\d+)(?:\.\.(\d+))?")
_WHOLE = re.compile(r"\s*-?\d+\s*")
_LIMITS: dict[str, tuple[Kind, str, str]] = {
    "params": ("count", "N", "learned numbers, such as 1.5e9 or 110M"),
    "flops": ("count", "N", "FLOPs of a forward pass, attention counted in full"),
    "memory": ("bytes", "BYTES", "memory of inference, such as 16GiB"),
    "training_memory": ("bytes", "BYTES", "memory of training"),
    "latency": ("seconds", "TIME", "time of a request at the worse end, such as 100ms; needs --device"),
    "cost": ("dollars", "$", "US dollars of 1,000 requests at the worse end; needs --device"),
}


def limit_options(command: Command) -> Command:
    """`--max-params` and its like, as the arguments `max_params` …; None where not given."""
    for name, (kind, metavar, words) in reversed(_LIMITS.items()):
        option = f"--max-{name.replace('_', '-')}"
        command = click.option(option, type=Quantity(kind), metavar=metavar, help=f"Allow at most: {words}.")(
            command
        )
    return command


def limits(given: dict[str, Any]) -> dict[str, float]:
    """The limits among a command's arguments, by measure; they are taken out of these."""
    named = {name: given.pop(f"max_{name}") for name in _LIMITS}
    return {name: value for name, value in named.items() if value is not None}


def size_lists(
    context: click.Context, parameter: click.Parameter, values: Sequence[str]
) -> dict[str, tuple[int, ...]]:
    """`B=8 S=512,4096` as numbers by name."""
    sizes = dict[str, tuple[int, ...]]()
    for value in values:
        name, equals, text = value.partition("=")
        numbers = values_of(text)
        if not equals or not name or not all(isinstance(number, int) for number in numbers):
            raise click.BadParameter(
                f"'{value}' is not SIZE=NUMBER, or SIZE=NUMBER,NUMBER", context, parameter
            )
        sizes[name] = tuple(number for number in numbers if isinstance(number, int))
    return sizes


def values_of(text: str) -> tuple[int | str, ...]:
    """`12,24,48` as numbers, `64..256..64` from, to and by steps; anything else is YAML as text.

    Raises click.BadParameter for a range that is none, or is endless in practice.
    """
    found = list[int | str]()
    for part in _COMMA.split(text):
        steps = _STEPS.fullmatch(part.strip())
        if steps:
            first, last, by = int(steps[1]), int(steps[2]), int(steps[3] or 1)
            if by < 1 or last < first or (last - first) // by >= MOST:
                raise click.BadParameter(
                    f"'{part.strip()}' is no range of at most {MOST:,} numbers, going up"
                )
            found += range(first, last + 1, by)
        else:
            found.append(int(part) if _WHOLE.fullmatch(part) else part.strip())
    return tuple(found)
