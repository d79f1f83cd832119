"""Other values that a field of a configuration may have, by the value that it has."""

import copy
from collections.abc import Iterator
from typing import Any

from tests.importing.published import Config

WORDS = ("relu", "silu", "gelu_new", "gelu", "mean")  # activations, and a way to pool


def at(config: Config, path: str) -> Any:
    """The value of a field; a KeyError where it has none."""
    inner: Any = config
    for name in path.split("."):
        inner = inner[name]
    return inner


def changed(config: Config, path: str, value: Any) -> Config:
    """The configuration with another value at a path, where there may be none yet."""
    new = copy.deepcopy(config)
    *outer, last = path.split(".")
    inner: Any = new
    for name in outer:
        inner = inner.setdefault(name, {})
    inner[last] = value
    return new


def others(value: Any) -> Iterator[Any]:
    """Plausible values that are not this one, the likeliest to be legal first."""
    match value:
        case bool():
            yield not value
        case int():
            yield from (2 * value, value + 1, max(1, value // 2), max(1, value - 1), 3)
        case float():
            yield from (2 * value, value / 2) if value else (0.25,)
        case str():
            yield from (word for word in WORDS if word != value)
        case [int(), *_]:
            yield from ([2 * item for item in value], value[::-1], value[:-1])
        case [str(), *_]:
            yield from ([value[0]] * len(value), value[::-1], value[:-1])
        case None:
            yield from (3, 0.25, True, "relu")
        case _:
            return
