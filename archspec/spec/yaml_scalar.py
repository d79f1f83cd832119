"""What an unquoted YAML word means: the YAML 1.2 core schema, and the two places where it surprises.

Source: YAML 1.2.2, section 10.3.2. `no`, `on`, `1_000`, `1:30` and dates are strings there. A number
with a leading zero (`010`) and a number that does not fit are refused instead of being read.
"""

from __future__ import annotations

import re
from typing import TypeAlias

from msgspec import Struct

Value: TypeAlias = "bool | int | float | str | None"

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOL = {word: word.lower() == "true" for word in ("true", "True", "TRUE", "false", "False", "FALSE")}
_NAN = frozenset({".nan", ".NaN", ".NAN"})
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_INFINITY = re.compile(r"[-+]?(\.inf|\.Inf|\.INF)")
_LEADING_ZERO = re.compile(r"[-+]?0[0-9]+")

_LARGEST_INT = 2**63 - 1
_MOST_DIGITS = 400


class Refusal(Struct, frozen=True):
    """Why a word that looks like a number is not read as one."""

    code: str
    message: str
    hint: str


def resolve_plain(text: str) -> Value | Refusal:
    """The value of an unquoted scalar, or why it is refused (`Y015`, `Y016`)."""
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    if text[0] not in "+-.0123456789":
        return text
    return _number(text)


def _number(text: str) -> Value | Refusal:
    if _LEADING_ZERO.fullmatch(text):
        return _leading_zero(text)
    if _INTEGER.fullmatch(text):
        return _integer(text)
    if text in _NAN:
        return float("nan")
    if _INFINITY.fullmatch(text):
        return float("-inf") if text.startswith("-") else float("inf")
    return _float(text) if _FLOAT.fullmatch(text) else text


def _leading_zero(text: str) -> Refusal:
    sign, digits = (text[0], text[1:]) if text[0] in "+-" else ("", text)
    short = digits.lstrip("0") or "0"
    octal = f" or 0o{short}" if not sign and not set(short) & set("89") else ""
    hint = f'write {sign}{short}{octal}, or "{text}" for a string'
    return Refusal("Y015", f"the number '{text}' starts with a zero", hint)


def _integer(text: str) -> int | Refusal:
    base = {"0o": 8, "0x": 16}.get(text[:2], 10)
    if len(text) <= _MOST_DIGITS:
        value = int(text[2:] if base != 10 else text, base)
        if -_LARGEST_INT - 1 <= value <= _LARGEST_INT:
            return value
    message = f"the integer '{shorten(text)}' does not fit in 64 bits"
    return Refusal("Y016", message, "quote it if it is a string")


def _float(text: str) -> float | Refusal:
    value = float(text)
    lost = value == 0 and bool(re.search("[1-9]", re.split("[eE]", text)[0]))
    if lost or value in (float("inf"), float("-inf")):
        message = f"the number '{shorten(text)}' does not fit in a 64-bit float"
        return Refusal("Y016", message, "write .inf for infinity, or quote it if it is a string")
    return value


def shorten(text: str, width: int = 40) -> str:
    """`text`, cut with an ellipsis where a message would drown in it."""
    return text if len(text) <= width else text[: width - 1] + "…"
