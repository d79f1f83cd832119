"""torch's functions on shapes, by their names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from archspec.errors import Diagnostic, UnsupportedError

FUNCTIONS: dict[str, Callable[..., Any]] = {}
Body = TypeVar("Body", bound=Callable[..., Any])


def function(*names: str) -> Callable[[Body], Body]:
    """Decorator: the function is torch's, or a tensor's method, of these names."""

    def register(body: Body) -> Body:
        FUNCTIONS.update(dict.fromkeys(names, body))
        return body

    return register


def function_named(name: str) -> Callable[..., Any]:
    """The function of this name. Raises UnsupportedError A011: what is unknown never counts as nothing."""
    if name in FUNCTIONS:
        return FUNCTIONS[name]
    if name.startswith("__"):  # what Python asks of every object
        raise AttributeError(name)
    message = f"nobody has said yet what torch's '{name}' allocates and computes"
    raise UnsupportedError(Diagnostic("A011", message, None, "please report the spec"))
