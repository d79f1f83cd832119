"""Other values that a field of a configuration may have, by the value that it has."""

import copy
from collections.abc import Callable, Iterator
from typing import Any

from huggingface_hub.errors import StrictDataclassError

from tests.importing.published import Config

WORDS = ("relu", "silu", "gelu_new", "gelu", "mean")  # activations, and a way to pool
# What references raise for values that make no model.
ILLEGAL = (ValueError, TypeError, LookupError, ZeroDivisionError, RuntimeError, StrictDataclassError,
           AssertionError, AttributeError)  # fmt: skip
Edit = tuple[str, Any]


def at(config: Config, path: str) -> Any:
    """The value of a field; a KeyError where it has none."""
    inner: Any = config
    for name in path.split("."):
        inner = inner[name]
    return inner


def changed(config: Config, *edits: Edit) -> Config:
    """The configuration with other values at paths, where there may be none yet."""
    new = copy.deepcopy(config)
    for path, value in edits:
        *outer, last = path.split(".")
        inner: Any = new
        for name in outer:
            inner = inner.setdefault(name, {})
        inner[last] = value
    return new


def together(config: Config, edits: list[Edit], works: Callable[[Config], bool]) -> tuple[Config, list[Edit]]:
    """The configuration with as many edits as work together, found by halves, and those edits."""
    trial = changed(config, *edits)
    if not edits or works(trial):
        return trial, edits
    if len(edits) == 1:
        return config, []
    half = len(edits) // 2
    config, first = together(config, edits[:half], works)
    config, second = together(config, edits[half:], works)
    return config, first + second


def others(value: Any) -> list[Any]:
    """Plausible values that are not this one, the likeliest to be legal first."""
    return [other for other in _plausible(value) if other != value]


def _plausible(value: Any) -> Iterator[Any]:
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
        case [float(), *_]:
            yield from ([item + 1.0 for item in value], value[:-1])
        case [str(), *_]:
            yield from ([value[0]] * len(value), value[::-1], value[:-1])
        case None:
            yield from (3, 0.25, True, "relu")
        case _:
            return
