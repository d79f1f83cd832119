"""Compares two specs by what they mean: params, modules, sizes, inputs and outputs."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping

from msgspec.structs import replace

from archspec.dims.num import Num, Value
from archspec.errors import Collector
from archspec.ir import text as ir
from archspec.ir.graph import Graph, parameter_count
from archspec.lowering.settings import Settings
from archspec.spec.spec import Spec
from archspec.views.difference import Change, Difference, ModuleChange, Size
from archspec.views.outline import Outline
from archspec.views.parts import Part, parts_of, steps

_MANY = 20
# Names, and params, which are compared by themselves.
_NAMES = ("graph ", "summary ", "source ", "root ", "  let ")
_Places = dict[tuple[str, int], Part]


def compare(specs: tuple[Spec, Spec], graphs: tuple[Graph, Graph]) -> Difference:
    """The difference of two specs, each with its graph."""
    before, after = (Outline.of(graph) for graph in graphs)
    old, new = (tuple(parts_of(graph, spec)) for graph, spec in zip(graphs, specs, strict=True))
    found = Difference(
        names=(_title(specs[0]), _title(specs[1])),
        parameters=(parameter_count(graphs[0]), parameter_count(graphs[1])),
        params=_changes(_params(specs[0]), _params(specs[1])),
        modules=tuple(_modules(old, new)),
        sizes=tuple(_sizes(old, new)),
        inputs=_changes(before.inputs, after.inputs),
        outputs=_changes(before.outputs, after.outputs),
        ties=_changes(before.ties, after.ties),
        losses=_changes(_losses(graphs[0]), _losses(graphs[1])),
    )
    return found if found else replace(found, graph=_lines(*graphs))


def _title(spec: Spec) -> str:
    return f"{spec.name}:{spec.preset}" if spec.preset else spec.name


def _params(spec: Spec) -> dict[str, str]:
    return {name: _value(value) for name, value in Settings(spec, Collector()).values.items()}


def _value(value: Value) -> str:
    if isinstance(value, Num):
        return repr(value.value)
    if isinstance(value, tuple):
        return f"[{', '.join(map(_value, value))}]"
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else value


def _losses(graph: Graph) -> dict[str, str]:
    return {loss.name: "; ".join(steps(loss.region)) for loss in graph.losses}


def _changes(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[Change, ...]:
    """What is not the same, in the order of the second, what is gone last."""
    names = dict.fromkeys((*after, *before))
    changes = (Change(name, before.get(name), after.get(name)) for name in names)
    return tuple(change for change in changes if change.before != change.after)


def _modules(before: tuple[Part, ...], after: tuple[Part, ...]) -> Iterator[ModuleChange]:
    old, new = _by_place(before), _by_place(after)
    for place in dict.fromkeys((*new, *old)):
        if place not in new or place not in old:
            yield from _alone(place, old, new)
        elif change := _changed(old[place], new[place]):
            yield change


def _by_place(parts: tuple[Part, ...]) -> dict[tuple[str, int], Part]:
    """Parts by path; the kinds of layer of one repeat are numbered."""
    found: dict[tuple[str, int], Part] = {}
    for part in parts:
        number = sum(path == part.path for path, _ in found)
        found[part.path, number] = part
    return found


def _alone(place: tuple[str, int], old: _Places, new: _Places) -> Iterator[ModuleChange]:
    """A module that only one of the two has, unless the module around it is such a one too."""
    path, number = place
    here, there, kind = (new, old, "added") if place in new else (old, new, "removed")
    outer = path.rpartition(".")[0].removesuffix(".*") if path.endswith(".*") else path.rpartition(".")[0]
    if any(each == outer for each, _ in here) and not any(each == outer for each, _ in there):
        return
    inside = (
        part.size
        for (each, other), part in here.items()
        if each.startswith(f"{path}.") or ((each, other) == place)
    )
    size = sum(inside) if number == 0 else here[place].size
    sizes = (0, size) if kind == "added" else (size, 0)
    yield ModuleChange(path, kind, here[place].component, sizes)


def _changed(old: Part, new: Part) -> ModuleChange | None:
    is_same = old.component == new.component
    component = new.component if is_same else f"{old.component} → {new.component}"
    changes = _changes(old.arguments, new.arguments)
    arguments = tuple(change for change in changes if is_same or change.name != "op")
    if old.times != new.times:
        arguments = (Change("layers", old.times, new.times), *arguments)
    told = bool(arguments) and new.is_word
    shapes = _changes(old.shapes, new.shapes)
    steps = () if told or not is_same else tuple(_delta(old.steps, new.steps))
    if not (arguments or shapes or steps or not is_same):
        return None
    return ModuleChange(
        new.path or "the model", "changed", component, (old.size, new.size), arguments, shapes, steps
    )


def _delta(old: tuple[str, ...], new: tuple[str, ...]) -> Iterator[str]:
    """Lines that are gone, and lines that are new, in order."""
    for line in difflib.ndiff(old, new):
        if line[0] in "+-":
            yield line


def _sizes(before: tuple[Part, ...], after: tuple[Part, ...]) -> Iterator[Size]:
    """Sums over the kinds of layer that share a path."""
    old, new = _total(before), _total(after)
    names = {part.path: part.component for part in after}
    for path, size in new.items():
        if path in old and old[path] != size:
            yield Size(path, names[path], old[path], size)


def _total(parts: tuple[Part, ...]) -> dict[str, int]:
    total: dict[str, int] = {}
    for part in parts:
        total[part.path] = total.get(part.path, 0) + part.size
    return total


def _lines(before: Graph, after: Graph) -> tuple[str, ...]:
    """The first lines of the two graphs that differ, their names aside."""
    old, new = (
        [line for line in ir.show(graph).splitlines() if not line.startswith(_NAMES)]
        for graph in (before, after)
    )
    lines = difflib.unified_diff(old, new, n=0, lineterm="")
    return tuple([line for line in lines if line[:2] not in ("--", "++", "@@")][:_MANY])
