"""Numbers for people: bytes, FLOPs, seconds, dollars."""

from __future__ import annotations

BINARY = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
DECIMAL = ("", "k", "M", "G", "T", "P", "E", "Z", "Y")
_TIMES = (
    (1e-9, "ns"),
    (1e-6, "µs"),
    (1e-3, "ms"),
    (1.0, "s"),
    (60.0, "min"),
    (3600.0, "h"),
    (86400.0, "days"),
)


def size(count: float) -> str:
    """Bytes in powers of 1024: `1.50 GiB`."""
    return _scaled(count, 1024, BINARY)


def count(number: float, unit: str = "") -> str:
    """A number in powers of 1000: `291.6 GFLOP` for the unit FLOP."""
    text = _scaled(number, 1000, DECIMAL)
    value, _, prefix = text.partition(" ")
    return f"{value} {prefix}{unit}".rstrip()


def time(seconds: float) -> str:
    """Seconds in the unit that suits them: `1.25 ms`."""
    scale, unit = next(((s, u) for s, u in reversed(_TIMES) if abs(seconds) >= s), _TIMES[0])
    return f"{digits(seconds / scale)} {unit}"


def money(dollars: float) -> str:
    """US dollars: `$0.0123`, `$1,234`."""
    return f"${dollars:,.0f}" if abs(dollars) >= 100 else f"${digits(dollars)}"


def share(part: float) -> str:
    """A share of one in per cent."""
    return f"{digits(100 * part)} %"


def digits(number: float) -> str:
    """Three significant digits, no exponent."""
    if number == 0:
        return "0"
    if abs(number) >= 1000:
        return f"{number:,.0f}"
    shown = f"{number:.3g}"
    return shown if "e" not in shown else f"{number:.9f}".rstrip("0")


def _scaled(number: float, step: int, units: tuple[str, ...]) -> str:
    power = 0
    while abs(number) >= step and power < len(units) - 1:
        number, power = number / step, power + 1
    shown = f"{number:,.0f}" if power == 0 and float(number).is_integer() else digits(number)
    return f"{shown} {units[power]}".rstrip()
