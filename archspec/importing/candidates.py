"""The specs that a configuration may be of: those whose weight map speaks of its kind of model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec import Struct

from archspec.errors import Diagnostic, Span, SpecError, did_you_mean
from archspec.importing.fields import Fields, fields_of, words
from archspec.spec.node import Mapping as Table
from archspec.spec.node import Scalar
from archspec.spec.spec import Spec


class Part(Struct, frozen=True):
    """A configuration, and what a weight map says of its fields. `folder`: its place in a system."""

    config: Table
    fields: Fields
    folder: str | None = None


class Candidate(Struct, frozen=True):
    """A spec, the name it is extended by, and the configurations of its parts: one, but for a system.

    `found`: what is wrong already. `unread`: what the folder of a system holds besides.
    """

    base: str
    spec: Spec
    graph: str | None
    parts: tuple[Part, ...]
    span: Span
    found: tuple[Diagnostic, ...] = ()
    unread: tuple[str, ...] = ()


def of_file(config: Table, specs: Mapping[str, Spec]) -> list[Candidate]:
    """The specs that speak of the kind of model in one file. Raises SpecError C002 where there are none."""
    key, kind = identity(config)
    path = str(key.value)
    described = [(name, fields) for name, spec in specs.items() for fields in fields_of(spec)]
    fitting = list(_fitting(config, described, path, kind))
    if not fitting:
        known = sorted({word for _, fields in described for word in kinds(fields, path)})
        hint = did_you_mean(kind, known) or f"known: {', '.join(known) or 'none'}"
        raise SpecError(Diagnostic("C002", f"no spec describes the {path} '{kind}'", key.span, hint))
    return fitting


def _fitting(config: Table, described: list[tuple[str, Fields]], path: str, kind: str) -> Iterator[Candidate]:
    for name, fields in described:
        if kind in kinds(fields, path):
            yield Candidate(name, fields.spec, fields.graph, (Part(config, fields),), config.span)


def identity(config: Table) -> tuple[Scalar, str]:
    """The field that says what kind of model it is, and what it says. Raises SpecError C002."""
    for path in ("model_type", "_class_name"):
        key, value = config.key(path), config.get(path)
        if key is not None and isinstance(value, Scalar) and isinstance(value.value, str) and value.value:
            return key, value.value
    hint = "a configuration names its kind as 'model_type' (transformers) or '_class_name' (diffusers)"
    raise SpecError(Diagnostic("C002", "it does not say what kind of model it is", config.span, hint))


def kinds(fields: Fields, path: str) -> tuple[str, ...]:
    """The kinds of model that a weight map speaks of."""
    if path in fields.config:
        return words(fields.config[path].expr)
    if path != "_class_name" or fields.kind is None or fields.listed:
        return ()
    others = (word for other in fields.same.get(path, ()) for word in words(other))
    return tuple(dict.fromkeys((*words(fields.kind), *others)))
