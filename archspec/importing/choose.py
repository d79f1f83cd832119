"""From a configuration to params of the one spec that means it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec import Struct
from msgspec.structs import replace

from archspec.dims.expr import Literal, Name, write
from archspec.dims.num import Num, Value
from archspec.errors import ArchspecError, Collector, Diagnostic, Span, SpecError, did_you_mean
from archspec.importing.contradict import describe
from archspec.importing.domain import Domains
from archspec.importing.equations import Equation, Known, equations, left_out, report_left_out, report_unknown
from archspec.importing.fields import Fields, fields_of, reads, words
from archspec.importing.solve import Solver
from archspec.ir.graph import Graph
from archspec.lowering.lower import lower
from archspec.lowering.settings import Settings
from archspec.spec.node import Mapping as Table
from archspec.spec.node import Scalar, Sequence
from archspec.spec.spec import Spec


class Choice(Struct, frozen=True):
    """A spec or a graph of it, the params that differ, the field of each, and what the file leaves out."""

    base: str
    graph: str | None
    params: Mapping[str, Value]
    origin: Mapping[str, str]
    left_out: tuple[str, ...]


def choose(config: Table, specs: Mapping[str, Spec]) -> Choice:
    """The spec and the params that a configuration means.

    `specs` are those that it may be, by the name they are extended by. Raises SpecError: C002 none describes
    such a model; C003 a field is not understood; C004 no params give a field its value; C005 the params make
    no model; C006 several specs, or several choices of params, fit; C007 a field is
    left out, and the spec does not say what that means.
    """
    named, found, fitting = _candidates(config, specs), list[Collector](), list[Choice]()
    for name, fields in named:
        collector = Collector()
        choice = _solved(config, name, fields, collector)
        found.append(collector)
        fitting += [] if choice is None else [choice]
    if len(fitting) == 1:
        return fitting[0]
    if not fitting:
        min(found, key=lambda collector: len(collector.diagnostics)).raise_if_any()
    bases = ", ".join(choice.base for choice in fitting)
    raise SpecError(Diagnostic("C006", f"it fits several specs: {bases}", config.span, "say which one"))


def _candidates(config: Table, specs: Mapping[str, Spec]) -> list[tuple[str, Fields]]:
    described = [(name, fields) for name, spec in specs.items() for fields in fields_of(spec)]
    key, kind = _identity(config)
    path = str(key.value)
    fitting = [(name, fields) for name, fields in described if _describes(fields, path, kind)]
    if not fitting:
        known = sorted({word for _, fields in described for word in _kinds(fields, path)})
        hint = did_you_mean(kind, known) or f"known: {', '.join(known) or 'none'}"
        raise SpecError(Diagnostic("C002", f"no spec describes the {path} '{kind}'", key.span, hint))
    return fitting


def _identity(config: Table) -> tuple[Scalar, str]:
    for path in ("model_type", "_class_name"):
        key, value = config.key(path), config.get(path)
        if key is not None and isinstance(value, Scalar) and isinstance(value.value, str) and value.value:
            return key, value.value
    hint = "a configuration names its kind as 'model_type' (transformers) or '_class_name' (diffusers)"
    raise SpecError(Diagnostic("C002", "it does not say what kind of model it is", config.span, hint))


def _describes(fields: Fields, path: str, kind: str) -> bool:
    return kind in _kinds(fields, path)


def _kinds(fields: Fields, path: str) -> tuple[str, ...]:
    """The kinds of model that a weight map speaks of."""
    if path in fields.config:
        return words(fields.config[path].expr)
    return words(fields.kind) if path == "_class_name" and fields.kind and not fields.listed else ()


def _solved(config: Table, base: str, fields: Fields, found: Collector) -> Choice | None:
    domains = Domains(fields.spec)
    demanded = tuple(sorted(equations(config, fields, domains.own), key=lambda each: each.about == "own"))
    solver = Solver(domains, demanded)
    report_unknown(config, fields, found)
    report_left_out(config, fields, found)
    solutions = solver.solutions()
    if not solutions:
        found.diagnostics += [describe(each, fields.spec.name, demanded) for each in solver.contradictions()]
    if found.diagnostics:
        return None
    params = _meant(fields.spec, solutions, demanded, config.span, found)
    if params is None:
        return None
    origin = {name: field for name in params if (field := _origin(name, demanded)) != name}
    return Choice(base, fields.graph, params, origin, left_out(config, fields))


def _origin(name: str, demanded: tuple[Equation, ...]) -> str:
    """The field that a param is read from: the one that is just this param, if there is one."""
    fields = [each for each in demanded if name in reads(each.left, each.right)]
    return next((each for each in fields if isinstance(each.left, Name)), fields[0]).path


def _meant(
    spec: Spec, solutions: list[Known], demanded: tuple[Equation, ...], span: Span, found: Collector
) -> Known | None:
    """The params of the one solution that is a model."""
    models: list[tuple[Known, Graph]] = []
    for known in solutions:
        params = _differing(spec, known)
        try:
            graph = lower(with_params(spec, params))
        except ArchspecError as error:
            if known is solutions[-1] and not models:
                found.diagnostics.append(_no_model(spec, params, demanded, span, error.diagnostics[0]))
            continue
        if all(graph != other for _, other in models):
            models.append((params, graph))
    if len(models) > 1:
        names = sorted({name for params, _ in models for name in params if params != models[0][0]})
        message = f"several params of '{spec.name}' fit: {', '.join(names) or 'its own and others'}"
        found.add("C006", message, span, "the weight map of the spec does not tell them apart")
    return models[0][0] if len(models) == 1 else None


def _differing(spec: Spec, known: Known) -> Known:
    """The params that must be set for all to have their values, in the order of the spec."""
    names = spec.section("params").keys()
    params = {name: known[name] for name in names if name in known}
    wanted = _values(spec, params)
    for name in reversed(list(params)):
        fewer = {other: value for other, value in params.items() if other != name}
        if _values(spec, fewer) == wanted:
            params = fewer
    return params


def _values(spec: Spec, params: Known) -> Mapping[str, Value]:
    return Settings(with_params(spec, params), Collector()).values


def with_params(spec: Spec, params: Mapping[str, Value]) -> Spec:
    """The spec with params set."""
    nodes = ((name, scalar(value, spec.section("params"))) for name, value in params.items())
    return replace(spec, overrides=(*spec.overrides, *nodes))


def scalar(value: Value, params: Table) -> Scalar | Sequence:
    """A value as it is written in a spec."""
    if isinstance(value, tuple):
        return Sequence(tuple(scalar(item, params) for item in value), params.span)
    taken = (*params.keys(), "true", "false", "null", "inf")
    if isinstance(value, Num):
        return Scalar(value.real, repr(value.value), params.span)
    if isinstance(value, str):
        text = value if value.isidentifier() and value not in taken else write(Literal(value))
        return Scalar(text, text, params.span)
    return Scalar(value, "null" if value is None else str(value).lower(), params.span)


def _no_model(
    spec: Spec, params: Known, demanded: tuple[Equation, ...], span: Span, reason: Diagnostic
) -> Diagnostic:
    """Why the params make no model, at the first field without which they would."""
    equation = next(_culprits(spec, params, demanded), None)
    what = f"'{equation.path}'" if equation else "what it says"
    place = f" ({reason.span}: {reason.code})" if reason.span else f" ({reason.code})"
    message = f"{what} makes no model of '{spec.name}': {reason.message}{place}"
    return Diagnostic("C005", message, equation.span if equation else span, reason.hint)


def _culprits(spec: Spec, params: Known, demanded: tuple[Equation, ...]) -> Iterator[Equation]:
    for name in params:
        rest = {other: value for other, value in params.items() if other != name}
        try:
            lower(with_params(spec, rest))
        except ArchspecError:
            continue
        yield from (each for each in demanded if name in reads(each.left))
