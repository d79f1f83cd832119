"""Python expressions from parts: calls, methods, operators, numbers."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TypeAlias

from archspec.backends.torch.code import POWER, UNARY, Code, Emission
from archspec.dims.num import Num

Part: TypeAlias = Code | str | None
NumberText: TypeAlias = Callable[[Num], str]

_NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
_PLAIN = re.compile(r"-?[\w.]+")
_IMPORTS = {"F": "import torch.nn.functional as F", "torch": "import torch"}


def call(place: Emission, function: str, *args: Part, **options: Part) -> Code:
    """`function(a, b, key=c)`, with the import that `F` or `torch` needs.

    Absent arguments at the end and absent options are left out; an absent one in between is None.
    """
    place.require(_IMPORTS[function.partition(".")[0]])
    return Code(f"{function}({arguments(*args, **options)})")


def runtime(place: Emission, module: str, function: str, *args: Part, **options: Part) -> Code:
    """A call of a function in `archspec/backends/torch/runtime/<module>.py`, which the emitter copies."""
    place.require(f"runtime:{module}.{function}")
    return Code(f"{function}({arguments(*args, **options)})")


def method(x: Code, name: str, *args: Part, **options: Part) -> Code:
    """`x.name(a, key=b)`."""
    return Code(f"{x.atom}.{name}({arguments(*args, **options)})")


def arguments(*args: Part, **options: Part) -> str:
    shown = list(args)
    while shown and shown[-1] is None:
        shown.pop()
    named = [f"{key}={_text(value)}" for key, value in options.items() if value is not None]
    return ", ".join([_text(arg) for arg in shown] + named)


def _text(part: Part) -> str:
    return part.text if isinstance(part, Code) else str(part)


def binary(symbol: str, left: Code, right: Code, level: int) -> Code:
    """`left symbol right`; the right side is in parentheses where it binds no tighter."""
    return Code(f"{left.inside(level)} {symbol} {right.inside(level + 1)}", level)


def comparison(symbol: str, left: Code, right: Code, level: int) -> Code:
    """Like `binary`, but comparisons must not chain."""
    return Code(f"{left.inside(level + 1)} {symbol} {right.inside(level + 1)}", level)


def power(base: Code, exponent: Code) -> Code:
    """`base**exponent`, with spaces where a side is more than a name or a number."""
    left, right = base.atom, exponent.inside(UNARY)
    space = "" if _PLAIN.fullmatch(left) and _PLAIN.fullmatch(right) else " "
    return Code(f"{left}{space}**{space}{right}", POWER)


def unary(symbol: str, x: Code) -> Code:
    return Code(f"{symbol}{x.atom}", UNARY)


def tuple_(items: Sequence[str]) -> str:
    return f"({items[0]},)" if len(items) == 1 else f"({', '.join(items)})"


def is_name(code: Code) -> bool:
    """A name or attribute, which may be read twice."""
    return _NAME.fullmatch(code.text) is not None


def is_plain(text: str) -> bool:
    """A name, an attribute or a number."""
    return _PLAIN.fullmatch(text) is not None


def says(text: str, value: float) -> bool:
    """Whether the text is a number, and this one."""
    try:
        return float(text) == value
    except ValueError:
        return False


def numbers(place: Emission) -> NumberText:
    """How numbers are written at `place`, for a spot that takes any expression."""
    return lambda number: place.number(number).text


def option(number: NumberText, value: Num, default: float) -> str | None:
    """The number for an argument with a default: None where it is written as that default."""
    text = number(value)
    return None if says(text, default) else text


def per_axis(number: NumberText, values: Sequence[Num], default: float | None = None) -> str | None:
    """One number for all axes where they agree, else a tuple; None where it is the default."""
    texts = [number(value) for value in values]
    if len(set(texts)) > 1:
        return tuple_(texts)
    return None if default is not None and says(texts[0], default) else texts[0]


def symmetric(number: NumberText, padding: Sequence[tuple[Num, Num]]) -> tuple[Num, ...] | None:
    """The padding of each axis where both sides are written alike, else None."""
    if any(number(before) != number(after) for before, after in padding):
        return None
    return tuple(before for before, _ in padding)
