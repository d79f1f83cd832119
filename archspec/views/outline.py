"""A model at a glance: what it takes and gives, and its modules with their parameters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct, to_builtins

from archspec.dims.num import product
from archspec.ir.graph import Call, Graph, Region, Repeat, State, Value, parameter_count, walk
from archspec.lowering.running import Running
from archspec.views.running import told

_GAP = "  "


class Module(Struct, frozen=True):
    """One module. `count` modules of this path own `parameters` learned numbers each, ties left out.

    The path of the whole is empty; it stands here where it has parameters of its own.
    """

    path: str
    component: str
    count: int
    parameters: int
    shapes: Mapping[str, str]
    states: tuple[str, ...]


class Outline(Struct, frozen=True):
    """A graph in short. `inputs` and `outputs` are names and types, `repeats` how often a path stands.

    As text: a title, inputs, the tree of modules with shapes and sizes, outputs, ties, how it is run.
    """

    name: str
    summary: str
    source: str
    parameters: int
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    ties: Mapping[str, str]
    modules: tuple[Module, ...]
    repeats: Mapping[str, str]
    running: Mapping[str, str] = {}

    @classmethod
    def of(cls, graph: Graph, running: Running | None = None) -> Outline:
        computed = {value.name for value in graph.defaults.outputs} if graph.defaults else set[str]()
        inputs = {value.name: _input(value, computed) for value in graph.inputs}
        outputs = {name: str(value.type) for name, value in graph.outputs}
        tied = {alias for alias, _ in graph.ties}
        modules = tuple(
            _module(path, region, count, tied)
            for path, region, count in walk(graph.root)
            if path or region.params
        )
        total = parameter_count(graph)
        return cls(
            graph.name, graph.summary, graph.source, total, inputs, outputs, dict(graph.ties), modules,
            _counts(graph.root), told(running) if running else {},
        )  # fmt: skip

    def record(self) -> dict[str, object]:
        """The outline as plain data."""
        return to_builtins(self)

    def __str__(self) -> str:
        head = [f"{self.name}: {self.summary}" if self.summary else self.name]
        head += [self.source] if self.source else []
        head += [f"{self.parameters:,} parameters", ""]
        tables = [_named("inputs", self.inputs), list(_rows(self.modules, self.repeats))]
        tables += [_named("outputs", self.outputs), _named("tied", self.ties)]
        tables += [_named("run", self.running)]
        return "\n".join([*head, *laid_out([table for table in tables if table])]) + "\n"


def _input(value: Value, computed: set[str]) -> str:
    note = " (has a default)" if value.name in computed else " (optional)" if value.optional else ""
    return f"{value.type}{note}"


def _module(path: str, region: Region, count: int, tied: set[str]) -> Module:
    shapes = {param.name: _shape(param.value) for param in region.params}
    own = (p for p in region.params if p.trainable and f"{path}.{p.name}".removeprefix(".") not in tied)
    size = sum(int(product(param.value.type.shape)) for param in own)
    return Module(path, region.component, count, size, shapes, tuple(map(_state, region.states)))


def _shape(value: Value) -> str:
    return f"[{', '.join(map(str, value.type.shape))}]"


def _state(state: State) -> str:
    return f"{state.kind} {len(state.types)} × {state.types[0]}"


def _named(title: str, entries: Mapping[str, str]) -> list[tuple[str, ...]]:
    return [(title if not number else "", name, text) for number, (name, text) in enumerate(entries.items())]


def _counts(region: Region, path: str = "") -> dict[str, str]:
    """How often each repeated module stands, as it is written: `h.*` to `num_layers = 12`."""
    out: dict[str, str] = {}
    for node in region.nodes:
        for inner in node.regions:
            name = f"{node.name}.*" if isinstance(node, Repeat) else inner.name
            below = f"{path}.{name}" if path else name
            if isinstance(node, Repeat):
                out[below] = node.count.described() + (", one set of weights" if node.shared else "")
            elif isinstance(node, Call) and node.along:
                out[below] = f"{node.runs.described()}, one after another"
            out |= _counts(inner, below)
    return out


def _rows(modules: tuple[Module, ...], counts: Mapping[str, str]) -> Iterator[tuple[str, ...]]:
    above: list[str] = []
    seen: set[str] = set()
    for module in modules:
        while above and not module.path.startswith(above[-1]):
            above.pop()
        name = "  " * len(above) + module.path.removeprefix(above[-1] if above else "").removesuffix(".*")
        times = counts.get(module.path, "") if module.path not in seen else str(module.count)
        above.append(f"{module.path}.")
        seen.add(module.path)
        shapes = _GAP.join(f"{name} {shape}" for name, shape in module.shapes.items())
        size = f"{module.parameters:,}" if module.parameters else ""
        yield name or "the model", module.component + (f" × {times}" if times else ""), size, shapes


def laid_out(tables: Sequence[Sequence[tuple[str, ...]]]) -> Iterator[str]:
    """Tables with aligned columns, an empty line between them."""
    for number, table in enumerate(tables):
        yield from [""] if number else []
        columns = [_aligned(column) for column in zip(*table, strict=True)]
        yield from (_GAP.join(row).rstrip() for row in zip(*columns, strict=True))


def _aligned(column: tuple[str, ...]) -> list[str]:
    """Cells of one width, numbers to the right."""
    width = max(map(len, column))
    numbers = all(not cell or cell.replace(",", "").isdigit() for cell in column)
    return [cell.rjust(width) if numbers else cell.ljust(width) for cell in column]
