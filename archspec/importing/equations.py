"""A configuration, and what a spec says of its fields, as equations over params; and what none covers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

from msgspec import Struct

from archspec.dims.evaluate import EvalError, evaluate
from archspec.dims.expr import Expr, Listing, Name, write
from archspec.dims.expr import Literal as Constant
from archspec.dims.num import Num, Value
from archspec.errors import Collector, Span, did_you_mean
from archspec.importing.fields import Field, Fields, reads
from archspec.importing.harmless import table
from archspec.importing.json_nodes import INFINITE
from archspec.spec.node import Mapping as Table
from archspec.spec.node import Node, Scalar, Sequence, plain

Known = dict[str, Value]
IDENTITY = ("model_type", "_class_name", "architectures")


class Equation(Struct, frozen=True):
    """`left`, over params, equals `right`: a value of the file, or what is meant where there is none.

    `path` and `span`: the field it comes from. `about`: its value, that it is there or absent, that it is
    left out and has the spec's own value, or that a param it tells is what other params make it.
    `anyof`: `right` lists values, and `left` is one of them.
    """

    left: Expr
    right: Expr
    path: str
    span: Span
    about: Literal["value", "there", "absent", "own", "derived"] = "value"
    anyof: bool = False


def lookup(config: Table, path: str) -> tuple[Scalar, Node] | None:
    """The field at a path, its key first. A key with dots in it is found too."""
    key, value = config.key(path), config.get(path)
    if key is not None and value is not None:
        return key, value
    head, _, rest = path.partition(".")
    inner = config.get(head)
    return lookup(inner, rest) if rest and isinstance(inner, Table) else None


def equations(config: Table, fields: Fields, own: Known) -> Iterator[Equation]:
    """What the file demands of the params. What it leaves out means what the spec's `own` params give."""
    told = tuple(_told(config, fields, own))
    yield from told
    yield from _derived(told, fields.derived)


def _derived(told: tuple[Equation, ...], derived: Mapping[str, Expr]) -> Iterator[Equation]:
    """That the derived params behind some equations are what the spec derives them from."""
    seen, waiting = set[str](), list(told)
    while waiting:
        equation = waiting.pop(0)
        for name in reads(equation.left, equation.right):
            if name in derived and name not in seen:
                seen.add(name)
                rule = Equation(Name(name), derived[name], equation.path, equation.span, "derived")
                waiting.append(rule)
                yield rule


def _told(config: Table, fields: Fields, own: Known) -> Iterator[Equation]:
    for field in fields.read:
        yield from _of_field(config, fields, field, own)
    for path, field in fields.defaults.items():
        if path not in fields.config and (given := lookup(config, path)):
            value = _meaning(fields, path, given[1])
            if not _means(value, field.expr):
                yield Equation(field.expr, value, path, given[0].span)
    yield from _of_class(config, fields)


def _of_field(config: Table, fields: Fields, field: Field, own: Known) -> Iterator[Equation]:
    (given, *again), default = _all(config, fields, field.path) or (None,), fields.defaults.get(field.path)
    value = None if given is None else _meaning(fields, field.path, given[1])
    is_null = value is not None and _is_null(value)
    span = given[0].span if given else config.span
    if default is not None and (value is None or _means(value, default.expr)):
        if default.expr != field.expr:  # else other fields tell it
            yield Equation(field.expr, default.expr, field.path, span)
    elif value is None or (is_null and field.whens):
        if field.whens:
            yield Equation(field.whens[-1], Constant(False), field.path, span, "absent")
        elif fields.complete and field.path not in IDENTITY:
            yield from _of_own(field, span, own)
    else:
        yield from (Equation(when, Constant(True), field.path, span, "there") for when in field.whens)
        yield Equation(field.expr, value, field.path, span)
        yield from _again(fields, field, again)


def _again(fields: Fields, field: Field, given: list[tuple[Scalar, Node]]) -> Iterator[Equation]:
    """What other spellings of a field say of it."""
    for key, node in given:
        value = _meaning(fields, field.path, node)
        if not _is_null(value):
            yield Equation(field.expr, value, str(key.value), key.span)


def _meaning(fields: Fields, path: str, node: Node) -> Expr:
    """What a value of the file means: itself, or what it is another word for."""
    given, (meant, *others) = _expression(node), fields.same.get(path) or (None,)
    return meant if meant is not None and write(given) in map(write, others) else given


def _of_own(field: Field, span: Span, own: Known) -> Iterator[Equation]:
    try:
        value = evaluate(field.expr, own.__getitem__)
    except (EvalError, KeyError):  # `check` says why
        return
    yield Equation(field.expr, constant(value), field.path, span, "own")


def find(config: Table, fields: Fields, path: str) -> tuple[Scalar, Node] | None:
    """A field of the file: by any spelling, or from the table it counts."""
    return next(iter(_all(config, fields, path)), None)


def _all(config: Table, fields: Fields, path: str) -> list[tuple[Scalar, Node]]:
    """Everything that the file says of a field; what stands in its place alone, where it is there."""
    for first in _spellings(fields.instead, path):
        if (given := lookup(config, first)) is not None:
            return [given]
    written = [lookup(config, each) for each in (*_spellings(fields.accept, path), path)]
    there = [*(each for each in written if each is not None), *_counted(config, path)]
    return sorted(there, key=lambda each: isinstance(each[1], Scalar) and each[1].value is None)


def _spellings(others: Mapping[str, str], path: str) -> list[str]:
    return [other for other, means in others.items() if means == path]


def _counted(config: Table, path: str) -> Iterator[tuple[Scalar, Node]]:
    for name, counted in table().counts.items():
        given = lookup(config, name)
        if counted == path and given is not None and isinstance(given[1], Table):
            count = len(given[1].entries)
            yield given[0], Scalar(count, str(count), given[1].span)


def _of_class(config: Table, fields: Fields) -> Iterator[Equation]:
    path = "architectures" if fields.listed else "_class_name"
    given = lookup(config, path)
    if given is None or fields.kind is None or path in fields.config:
        return
    key, node = given
    value = _meaning(fields, path, node)
    if not _is_null(value):
        yield Equation(fields.kind, value, path, key.span, anyof=isinstance(node, Sequence))


def constant(value: Value) -> Expr:
    """A value as an expression that reads nothing."""
    if isinstance(value, tuple):
        return Listing(tuple(map(constant, value)))
    return Constant(value.real if isinstance(value, Num) else value)


def _means(value: Expr, default: Expr) -> bool:
    """Whether null means what a field left out means: a reference takes it for no number, word or `true`."""
    told = isinstance(default, Constant) and bool(default.value)
    return _is_null(value) and not told


def _is_null(value: Expr) -> bool:
    return isinstance(value, Constant) and value.value is None


def _expression(node: Node) -> Expr:
    if isinstance(node, Sequence):
        return Listing(tuple(map(_expression, node.items)))
    if isinstance(node, Scalar):
        return Constant(node.value)
    content = plain(node)
    if isinstance(content, dict) and content.keys() == {"__float__"}:  # how transformers writes infinity
        return Constant(INFINITE.get(str(content["__float__"]), repr(content)))
    return Constant(repr(content))  # any other object is never the value of an expression


def report_unknown(config: Table, fields: Fields, found: Collector) -> None:
    """Adds C003 for every field that is neither understood nor known to be harmless."""
    for path, key, value in _entries(config, "", fields.known):
        if path in IDENTITY or table().excuses(str(key.value), plain(value)):
            continue
        message = f"'{path}' is not understood: '{fields.spec.name}' says nothing of it"
        hint = "it may change what the model computes; " + (
            did_you_mean(path, sorted(fields.known)) or "take it out of the file if you know that it does not"
        )
        found.add("C003", message, key.span, hint)


def _entries(config: Table, outer: str, known: frozenset[str]) -> Iterator[tuple[str, Scalar, Node]]:
    """The fields that are not known, each as far out as nothing in it is known."""
    for key, value in config.entries:
        path = f"{outer}{key.value}"
        within = any(each.startswith(f"{path}.") for each in known)
        if path in known or (within and isinstance(value, Scalar) and value.value is None):
            continue
        if within and isinstance(value, Table):
            yield from _entries(value, f"{path}.", known)
        else:
            yield path, key, value


def left_out(config: Table, fields: Fields) -> tuple[str, ...]:
    """Fields that the file does not have, and no `defaults` of the spec speak of."""
    absent = (field for field in fields.read if find(config, fields, field.path) is None)
    told = (*IDENTITY, *fields.defaults)
    return tuple(field.path for field in absent if field.path not in told and not field.whens)


def report_left_out(config: Table, fields: Fields, found: Collector) -> None:
    """Adds C007 for the fields that the file leaves out, where the spec does not say what that means."""
    for path in () if fields.complete else left_out(config, fields):
        message = f"'{path}' is left out, and '{fields.spec.name}' does not say what that means"
        hint = f"add it to the file, or an 'import' to 'weights.{fields.section}' of the spec"
        found.add("C007", message, config.span, hint)
