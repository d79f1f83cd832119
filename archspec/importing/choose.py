"""From a configuration to params of the one spec that means it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec import Struct
from msgspec.structs import replace

from archspec.dims.evaluate import EvalError
from archspec.dims.expr import Literal, Name, write
from archspec.dims.num import Num, Value
from archspec.dims.parse import ExprSyntaxError
from archspec.errors import ArchspecError, Collector, Diagnostic, Span, SpecError
from archspec.importing.candidates import Candidate, Part, of_file
from archspec.importing.contradict import describe
from archspec.importing.domain import Domains
from archspec.importing.equations import Equation, Known, equations, left_out, report_left_out, report_unknown
from archspec.importing.fields import reads
from archspec.importing.solve import Solver
from archspec.importing.system import System, of_system
from archspec.ir.graph import Graph
from archspec.lowering.lower import lower
from archspec.lowering.settings import Settings
from archspec.spec.node import Mapping as Table
from archspec.spec.node import Node, Scalar, Sequence
from archspec.spec.spec import Spec


class Choice(Struct, frozen=True):
    """A spec or a graph of it, the params that differ, the field of each, and what the file leaves out.

    `unread`: parts of a system that no spec speaks of.
    """

    base: str
    graph: str | None
    params: Mapping[str, Value]
    origin: Mapping[str, str]
    left_out: tuple[str, ...]
    unread: tuple[str, ...] = ()


def choose(published: Table | System, specs: Mapping[str, Spec]) -> Choice:
    """The spec and the params that a configuration means, or those of all parts of a system.

    `specs` are those that it may be, by the name they are extended by. Raises SpecError: C002 none describes
    such a model; C003 a field is not understood; C004 no params give a field its value; C005 the params make
    no model; C006 several specs, or several choices of params, fit; C007 a field is
    left out, and the spec does not say what that means; C008 a part of a system is missing.
    """
    system = isinstance(published, System)
    candidates = of_system(published, specs) if system else of_file(published, specs)
    collectors, fitting = list[Collector](), list[Choice]()
    for candidate in candidates:
        collectors.append(Collector())
        choice = _solved(candidate, collectors[-1])
        fitting += [] if choice is None else [choice]
    if len(fitting) == 1:
        return fitting[0]
    if not fitting:
        min(collectors, key=lambda collector: len(collector.diagnostics)).raise_if_any()
    bases = ", ".join(choice.base for choice in fitting)
    raise SpecError(
        Diagnostic("C006", f"it fits several specs: {bases}", candidates[0].span, "say which one")
    )


def _solved(candidate: Candidate, found: Collector) -> Choice | None:
    spec = candidate.spec
    found.diagnostics += candidate.found
    domains = Domains(spec)
    every = (each for part in candidate.parts for each in equations(part.config, part.fields, domains.own))
    demanded = tuple(sorted(every, key=lambda each: each.about == "own"))
    solver = Solver(domains, demanded)
    for part in candidate.parts:
        report_unknown(part.config, part.fields, found)
        report_left_out(part.config, part.fields, found)
    solutions = solver.solutions()
    if not solutions:
        found.diagnostics += [describe(each, spec.name, demanded) for each in solver.contradictions()]
    if found.diagnostics:
        return None
    params = _meant(spec, solutions, demanded, candidate.span, found)
    if params is None:
        return None
    origin = {name: field for name in params if (field := _origin(name, demanded)) != name}
    absent = tuple(path for part in candidate.parts for path in _left_out(part))
    return Choice(candidate.base, candidate.graph, params, origin, absent, candidate.unread)


def _left_out(part: Part) -> tuple[str, ...]:
    absent = left_out(part.config, part.fields)
    return absent if part.folder is None else tuple(f"{part.folder}/{path}" for path in absent)


def _origin(name: str, demanded: tuple[Equation, ...]) -> str:
    """The field that a param is read from: the one that is just this param, if there is one."""
    fields = [each for each in demanded if name in reads(each.left, each.right)]
    return next((each for each in fields if isinstance(each.left, Name)), fields[0]).path


def _meant(
    spec: Spec, solutions: list[Known], demanded: tuple[Equation, ...], span: Span, found: Collector
) -> Known | None:
    """The params of the one solution that is a model."""
    models, faults = list[tuple[Known, Graph]](), list[Diagnostic]()
    for known in solutions:
        params = _differing(spec, known)
        try:
            graph = lower(with_params(spec, params))
        except ArchspecError as error:
            faults += [] if faults else [_no_model(spec, params, demanded, span, error.diagnostics[0])]
            continue
        if all(graph != other for _, other in models):
            models.append((params, graph))
    if not models:
        found.diagnostics += faults
    if len(models) > 1:
        names = sorted({name for params, _ in models for name in params if params != models[0][0]})
        message = f"several params of '{spec.name}' fit: {', '.join(names) or 'its own and others'}"
        found.add("C006", message, span, "the weight map of the spec does not tell them apart")
    return models[0][0] if len(models) == 1 else None


def _differing(spec: Spec, known: Known) -> Known:
    """The params that must be set for all to have their values, in the order of the spec."""
    names = spec.section("params").keys()
    params = {name: known[name] for name in names if name in known}
    own, settled = Settings(spec, Collector()), Settings(with_params(spec, params), Collector())
    return {name: value for name, value in params.items() if _read(settled, own.nodes[name]) != value}


def _read(settled: Settings, node: Node) -> Value | None:
    """What a param would be by itself, beside the others; None where it would be nothing."""
    try:
        return settled.read(node)
    except (EvalError, ExprSyntaxError, KeyError):
        return None


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
