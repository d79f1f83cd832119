"""The root class: what a caller sees."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from archspec.backends.torch.classes import Classes, model_name
from archspec.backends.torch.forward import DEVICE, DTYPE, Body, shape_text
from archspec.backends.torch.initial import init_method
from archspec.backends.torch.layout import docstring, statement, wrapped
from archspec.backends.torch.members import init_lines
from archspec.backends.torch.module import Module
from archspec.backends.torch.nodes import write_node, write_nodes
from archspec.backends.torch.python import literal
from archspec.backends.torch.words import ATTRIBUTES, METHODS, READ, refuse
from archspec.dims import num as n
from archspec.dims.num import Num
from archspec.errors import Diagnostic, UnsupportedError
from archspec.ir.graph import Graph, Node, Region, Repeat, Value, walk

_AMBIENT = {DTYPE: "torch.get_default_dtype", DEVICE: "torch.get_default_device"}


@dataclass(slots=True)
class Model:
    """The root region's class, with defaults of inputs and the cache.

    `measured`: inputs that nothing reads, but for their sizes.
    """

    graph: Graph
    root: Region
    module: Module
    classes: Classes
    measured: frozenset[str] = frozenset()

    @classmethod
    def of(cls, graph: Graph, root: Region, ambiguous: frozenset[str] = frozenset()) -> Model:
        """The model with its forward method, and with it all other classes, written.

        Raises `UnsupportedError` for what cannot be written.
        """
        refuse((v.name for v in graph.inputs), READ, "an input")
        inside = (node.rows for _, r, _ in walk(root) for node in r.nodes if isinstance(node, Repeat))
        classes = Classes(root, (*graph.dims, *dict.fromkeys(filter(None, inside))), ambiguous)
        numbers = frozenset(name for name, value in root.bindings if isinstance(value, Num))
        model = cls(graph, root, Module(classes, root, numbers), classes)
        methods = METHODS | {f"loss_{loss.name}" for loss in graph.losses}
        refuse(model.module.names_inside(), methods | ATTRIBUTES, "a module")
        refuse((param.name for param in root.params), methods | ATTRIBUTES, "a parameter")
        classes.taken.add(model.name)
        model.write()
        return model

    @property
    def name(self) -> str:
        return model_name(self.graph.name, self.classes.words)

    @property
    def result(self) -> str:
        return "Tensor" if len(self.graph.outputs) == 1 else "Output"

    def defaulted(self) -> set[str]:
        """Inputs that the model computes where a caller leaves them out."""
        return {v.name for v in self.graph.defaults.outputs} if self.graph.defaults else set()

    def absent(self, value: Value) -> bool:
        """Whether a caller may leave an input out."""
        return value.optional or value.name in self.defaulted()

    def inputs(self) -> list[Value]:
        """The forward method's inputs, those that must be given first: all but what only losses read."""
        read = {v.name for node in self.root.nodes for v in node.inputs if v is not None}
        read |= {v.name for v in self.root.outputs} | self.measured
        read |= {v.name for v in self.graph.defaults.inputs} if self.graph.defaults else set()
        by_losses = {name for loss in self.graph.losses for name in loss.reads}
        given = (v for v in self.root.inputs if v.name in read or v.name not in by_losses)
        return sorted(given, key=self.absent)

    # the forward method

    def write(self) -> None:
        """Its statements; a size that no read input shows is taken from one that is not read."""
        self._write()
        missing = self.module.sizes.keys() - {"past"}
        if missing:
            sized = ((v, {name for size in v.type.shape for name in n.reads(size)}) for v in self.root.inputs)
            self.measured = frozenset(v.name for v, names in sized if names & missing)
            self._write()

    def _write(self) -> None:
        self.module.forget()
        body = Body(self.module, self.root)
        body.begin(self.inputs(), self.root.nodes, self.root.outputs)
        if self.graph.defaults:
            for value in self.graph.defaults.inputs:
                body.variables.left[value.name] = body.variables.left.get(value.name, 0) + 1
            self._write_defaults(body, self.graph.defaults)
        write_nodes(body, self.root.nodes)
        texts = body.results(self.root.outputs)
        body.lines += statement("return ", texts[0] if len(texts) == 1 else f"Output({', '.join(texts)})", 8)
        if "past" in self.module.sizes:
            body.lines.insert(0, f"        past = {self._past()}")
        for told, function in _AMBIENT.items():  # nothing in the model shows it
            if told in self.module.sizes:
                body.lines.insert(0, f"        {self.module.sizes[told]} = {function}()")
        self.module.lines = body.lines
        self.module.takes_cache = bool(self.module.cache.slots)

    def _past(self) -> str:
        """What counts the tokens already seen: the cache, where there is one.

        Raises `UnsupportedError` U004 where there is one that does not.
        """
        length = self.module.cache.length()
        if not length and self.module.cache.slots:
            message = "positions count on while decoding, but nothing along the streamed size counts tokens"
            raise UnsupportedError(Diagnostic("U004", message, None, "take 'stream' out of the spec"))
        return f"{length} if cache is not None else 0" if length else "0"

    def _write_defaults(self, body: Body, defaults: Region) -> None:
        """`if x is None: x = …`, each in turn: the next ones read x as it is then."""
        read = {v.name for v in self.inputs()}
        given = [v for v in self.inputs() if v.name not in self.defaulted()]
        for output in (output for output in defaults.outputs if output.name in read):
            inner = Body(self.module, defaults, indent=12)
            needed = _needed(defaults, output, {v.name for v in given})
            inner.begin(given, needed, (output,))
            for node in needed:
                write_node(inner, node, needed)
            body.line(f"if {output.name} is None:")
            text = inner.text(output)
            body.lines += inner.lines
            if text != output.name:
                body.lines += statement(f"{output.name} = ", text, 12, shape_text(output.type))
            given.append(output)

    # text

    def text(self, losses: list[str]) -> list[str]:
        """The class; `losses` are the lines of further methods."""
        methods = [*self._forward(), *losses, *self._make_cache(), *init_method(self.graph, self.module)]
        self.module.keep_attributes(methods)
        init = [*init_lines(self.module), *self._ties(), "        self.init_weights()", ""]
        self.classes.arrange(self.module)
        head = wrapped("def __init__(", ["self", *self._arguments()], ") -> None:", 4)
        summary = docstring([self.graph.summary.split("\n")[0] or f"{self.name}."], 4)
        lines = [f"class {self.name}(nn.Module):", *summary, "", *head, "        super().__init__()"]
        return [*lines, *init, *methods]

    def _arguments(self) -> Iterator[str]:
        """The constructor's arguments, with the spec's values."""
        settings = dict(self.root.bindings)
        for word in self.module.arguments:
            value = settings[word]
            assert isinstance(value, Num), f"{word} is no number"
            default = literal(value.value, self.classes.parts.require).text
            yield f"{word}: {self.classes.kind(word, self.module)} = {default}"

    def _ties(self) -> list[str]:
        return [f"        {_path(alias)} = {_path(owner)}  # tied" for alias, owner in self.graph.ties]

    def _forward(self) -> list[str]:
        params = ["self", *map(self.parameter, self.inputs()), *self.module.cache_parameter()]
        head = wrapped("def forward(", params, f") -> {self.result}:", 4)
        return [*head, *docstring(self._contract(), 8), *self.module.lines]

    def parameter(self, value: Value) -> str:
        return f"{value.name}: Tensor" + (" | None = None" if self.absent(value) else "")

    def _contract(self) -> list[str]:
        takes = ", ".join(f"{v.name} {shape_text(v.type)}" for v in self.inputs())
        gives = ", ".join(f"{name} {shape_text(v.type)}" for name, v in self.graph.outputs)
        if not takes:
            return [f"-> {gives}."]
        return [f"{takes} -> {gives}."] if len(takes) + len(gives) < 90 else [takes, f"-> {gives}."]

    def _make_cache(self) -> list[str]:
        if not self.module.cache.slots:
            return []
        kind = self.module.cache.annotation()
        head = wrapped("def make_cache(", ["self", "capacity: int"], f") -> {kind}:", 4)
        doc = '        """An empty cache for decoding: room for `capacity` tokens."""'
        return ["", *head, doc, *statement("return ", self.module.cache.empty("self"), 8)]


def _needed(region: Region, output: Value, given: set[str]) -> tuple[Node, ...]:
    """The nodes that an output is computed from, where some values are there already."""
    wanted, kept = {output.name}, list[Node]()
    for node in reversed(region.nodes):
        if any(o.name in wanted for o in node.outputs):
            kept.append(node)
            wanted |= {v.name for v in node.inputs if v is not None} - given
    return tuple(reversed(kept))


def _path(name: str) -> str:
    """`self.h[0].attn.weight` for `h.0.attn.weight`."""
    return "self" + "".join(f"[{part}]" if part.isdigit() else f".{part}" for part in name.split("."))
