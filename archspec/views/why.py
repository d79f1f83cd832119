"""Why a part of a model is as it is: where the spec says so, its shape, start and name in a checkpoint."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from archspec.dims.num import Num, product
from archspec.errors import Span
from archspec.ir.graph import Apply, Call, Graph, Init, Param, Region, Repeat, Value, parameter_count
from archspec.ir.types import TensorType
from archspec.views.find import Found, find
from archspec.weights.mapping import WeightMap

Fact = tuple[str, str]


class Origin(Struct, frozen=True):
    """What is known of one part. `spans`: the places in the spec that lead to it, from the outside in."""

    path: str
    what: str
    spans: tuple[Span, ...]
    facts: tuple[Fact, ...]

    def record(self) -> dict[str, object]:
        """The same as plain data."""
        places = [{"file": span.source.name, "line": span.line, "column": span.column} for span in self.spans]
        facts: dict[str, list[str]] = {}
        for name, text in self.facts:
            facts.setdefault(name, []).append(text)
        return {"path": self.path, "what": self.what, "places": places, "facts": facts}

    def __str__(self) -> str:
        places = [("from", f"{span}  {_line(span)}") for span in reversed(self.spans)]
        rows = [*_without_repeats(places), *_without_repeats(self.facts)]
        width = max((len(name) for name, _ in rows), default=0)
        lines = (f"  {name.ljust(width)}  {text}".rstrip() for name, text in rows)
        return "\n".join([f"{self.path}: {self.what}", *lines]) + "\n"


def why(graph: Graph, path: str, weights: WeightMap | None = None) -> Origin:
    """The origin of a module, parameter or value.

    `weights` adds names in the checkpoint. Raises ArchspecError X003 where nothing has that path.
    """
    found = find(graph, path)
    part = found.part
    if isinstance(part, Param):
        what, facts = _parameter_title(part), _parameter(graph, found, part, weights)
    elif isinstance(part, Region):
        what, facts = f"module, {part.component}", _module(graph, found, part)
    else:
        what, facts = "value", _value(found, part)
    return Origin(found.path, what, found.spans, (*facts, *_repeats(found)))


def _parameter_title(param: Param) -> str:
    return "parameter" if param.trainable else "buffer"


def _parameter(graph: Graph, found: Found, param: Param, weights: WeightMap | None) -> Iterator[Fact]:
    type_ = param.value.type
    yield "shape", f"{_sizes(type_)} = {[int(size) for size in type_.shape]}"
    yield "size", f"{int(product(type_.shape)):,} numbers"
    yield "starts", _init(param.init)
    yield from _ties(graph, found.path)
    yield from _hub(graph, found.path, weights)


def _ties(graph: Graph, path: str) -> Iterator[Fact]:
    for alias, owner in graph.ties:
        if path == alias:
            yield "tied", f"is {owner}, and counted there"
        elif path == owner:
            yield "tied", f"{alias} is this parameter"


def _hub(graph: Graph, path: str, weights: WeightMap | None) -> Iterator[Fact]:
    """The hub tensors that hold a parameter, and what is done to it on the way there."""
    name = dict(graph.ties).get(path, path)
    for recipe in weights.recipes if weights else ():
        if name in recipe.ours:
            steps = ", ".join(type(step.op).__name__.lower() for step in recipe.steps)
            yield "hub", ", ".join(recipe.hub) + (f" ({steps})" if steps else "")


def _module(graph: Graph, found: Found, region: Region) -> Iterator[Fact]:
    for value in region.inputs:
        yield "takes", f"{value.name} {value.type}{' (optional)' if value.optional else ''}"
    for value in region.outputs:
        yield "gives", str(value.type)
    for name, value in region.bindings:
        yield "where", f"{name} = {_setting(value)}"
    size = parameter_count(Graph("", "", "", (), None, region, None, (), (), _ties_inside(graph, found.path)))
    yield "size", f"{size:,} parameters"
    for param in region.params:
        yield _parameter_title(param), f"{param.name} {_sizes(param.value.type)}"
    for state in region.states:
        yield "keeps", f"{state.kind} {', '.join(map(str, state.types))}"


def _ties_inside(graph: Graph, path: str) -> tuple[tuple[str, str], ...]:
    """Ties whose alias lies in a module, by their names there."""
    head = f"{path}."
    return tuple((alias.removeprefix(head), owner) for alias, owner in graph.ties if alias.startswith(head))


def _value(found: Found, value: Value) -> Iterator[Fact]:
    yield "type", str(value.type)
    if value in found.region.inputs:
        yield "made by", "whoever calls the module" if found.path != value.name else "the caller"
        return
    node = found.steps[-1]
    yield "made by", node.op.name if isinstance(node, Apply) else f"the module {_module_name(node)}"


def _module_name(node: Call | Repeat) -> str:
    return node.name if isinstance(node, Repeat) else node.region.name


def _repeats(found: Found) -> Iterator[Fact]:
    for step in found.steps:
        if isinstance(step, Repeat):
            weights = ", all with the same weights" if step.shared else ""
            yield "one of", f"{step.count.described()} layers '{step.name}'{weights}"
        elif isinstance(step, Call) and step.along:
            yield "runs", f"once at each of {step.runs.described()} positions of axis {step.along.axis}"
        elif isinstance(step, Call) and step.shared:
            yield "shared", f"the module '{step.region.name}' is called more than once"


def _sizes(type_: TensorType) -> str:
    return f"[{', '.join(map(str, type_.shape))}]"


def _init(init: Init) -> str:
    words = {"normal": ("mean", "std"), "trunc_normal": ("mean", "std"), "uniform": ("from", "to")}
    names = words.get(init.kind, ("", ""))
    given = [
        (name, number) for name, number in zip(names, (init.a, init.b), strict=True) if number is not None
    ]
    return f"{init.kind}({', '.join(f'{name} {number.described()}'.strip() for name, number in given)})"


def _setting(value: object) -> str:
    if isinstance(value, Num):
        return value.described()
    return str(value).lower() if isinstance(value, bool) or value is None else str(value)


def _line(span: Span) -> str:
    lines = span.source.text.splitlines()
    return lines[span.line - 1].strip() if 0 < span.line <= len(lines) else ""


def _without_repeats(rows: tuple[Fact, ...] | list[Fact]) -> Iterator[Fact]:
    """Each label once."""
    before = ""
    for name, text in rows:
        yield (name if name != before else ""), text
        before = name
