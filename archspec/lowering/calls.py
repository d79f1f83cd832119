"""Calls in tensor expressions: written arguments as the function's parameters ask for them."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any, TypeAlias, get_args, get_origin, get_type_hints

from archspec.components.base import Place
from archspec.dims.evaluate import EvalError, describe
from archspec.dims.expr import Call, Expr, Name
from archspec.dims.num import Num, Value
from archspec.errors import did_you_mean
from archspec.ir.builder import Handle
from archspec.lowering.functions import FUNCTIONS

Result: TypeAlias = "Handle | tuple[Any, ...] | Value"


def function_name(call: Call) -> Name:
    """The name of a call, as the word at its start."""
    return Name(call.function, call.at, call.at + len(call.function))


def call_function(at: Place, expr: Call, args: list[Result], kwargs: dict[str, Result]) -> Result:
    """The function's result.

    Raises `EvalError` N003 where the arguments do not fit it, and what the function raises.
    """
    function = FUNCTIONS[expr.function]
    signature, hints = inspect.signature(function), get_type_hints(function)
    _check_names(expr, signature)
    try:
        bound = signature.bind(at, *args, **kwargs)
    except TypeError:
        count = len(args) + len(kwargs)
        message = f"'{expr.function}' does not take these {count} arguments"
        raise EvalError("N003", message, function_name(expr), _usage(expr, signature)) from None
    written = _written(expr, signature)
    for key, value in list(bound.arguments.items())[1:]:
        kind = signature.parameters[key].kind
        where = written.get(key, expr)
        if kind is inspect.Parameter.VAR_POSITIONAL:
            bound.arguments[key] = tuple(_coerce(v, hints[key], key, expr, where) for v in value)
        elif kind is inspect.Parameter.VAR_KEYWORD:
            named = {k: _coerce(v, hints[key], k, expr, written.get(k, expr)) for k, v in value.items()}
            bound.arguments[key] = named
        else:
            bound.arguments[key] = _coerce(value, hints[key], key, expr, where)
    return function(*bound.args, **bound.kwargs)


def _check_names(expr: Call, signature: inspect.Signature) -> None:
    """Refuses a named argument that the function does not have, at its name."""
    known = [p.name for p in list(signature.parameters.values())[1:] if p.kind is not p.VAR_POSITIONAL]
    if any(p.kind is p.VAR_KEYWORD for p in signature.parameters.values()):
        return
    for key, value in expr.kwargs:
        if key not in known:
            place = Name(key, max(0, value.at - len(key) - 1), value.at - 1)
            hint = did_you_mean(key, known) or _usage(expr, signature)
            raise EvalError("N003", f"'{expr.function}' takes no '{key}'", place, hint)


def _usage(expr: Call, signature: inspect.Signature) -> str:
    return f"write {expr.function}({', '.join(list(signature.parameters)[1:])})"


def _written(expr: Call, signature: inspect.Signature) -> dict[str, Expr]:
    """Where each argument is written."""
    return dict(zip(list(signature.parameters)[1:], expr.args, strict=False)) | dict(expr.kwargs)


def _coerce(value: Result, hint: Any, name: str, expr: Call, where: Expr) -> Any:
    """A written argument as the kind its parameter asks for."""
    union = get_origin(hint) not in (tuple, Sequence, None)
    for kind in get_args(hint) if union else (hint,):
        if kind is type(None) and value is None:
            return None
        if kind is int and isinstance(value, Num):
            return int(value)
        if kind in (Handle, Num, bool, str) and isinstance(value, kind):
            return value
        if get_origin(kind) is tuple and isinstance(value, tuple) and all(isinstance(v, Num) for v in value):
            return value
        if get_origin(kind) is Sequence and isinstance(value, tuple) and _all_tensors(value):
            return value
    message = f"'{name}' of {expr.function} cannot be {shown(value)}"
    raise EvalError("N003", message, where, f"it is {_wanted(hint)}")


def _wanted(hint: Any) -> str:
    kinds = {Handle: "a tensor", Num: "a number", int: "a whole number", bool: "true or false", str: "a word"}
    if get_origin(hint) is tuple:
        return "a list of numbers, as in '[B, 8]'"
    if get_origin(hint) is Sequence:
        return "a list of tensors, as in '[a, b]'"
    parts = get_args(hint) or (hint,)
    return " or ".join(kinds.get(part) or _wanted(part) for part in parts if part is not type(None))


def _all_tensors(values: tuple[Any, ...]) -> bool:
    return bool(values) and all(isinstance(v, Handle) for v in values)


def shown(value: Result) -> str:
    """A value in a reader's words."""
    if isinstance(value, Handle):
        return "a tensor"
    return f"a list of {len(value)}" if isinstance(value, tuple) else describe(value)
