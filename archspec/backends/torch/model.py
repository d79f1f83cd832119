"""The root class: what a caller sees."""

from __future__ import annotations

from dataclasses import dataclass, replace

from archspec.backends.torch.classes import Classes, camel
from archspec.backends.torch.forward import Body, shape_text, statement
from archspec.backends.torch.initial import init_method
from archspec.backends.torch.layout import docstring, wrapped
from archspec.backends.torch.module import Module, held_back
from archspec.backends.torch.nodes import write_node, write_nodes
from archspec.dims import num as n
from archspec.dims.num import Num
from archspec.errors import Diagnostic, UnsupportedError
from archspec.ir.graph import Apply, Call, Graph, Loss, Region, Repeat, State, Value, parameter_count


@dataclass(slots=True)
class Model:
    """The root region's class, with defaults of inputs, losses and the cache.

    `measured`: inputs that nothing reads, but for their sizes.
    """

    graph: Graph
    root: Region
    module: Module
    classes: Classes
    measured: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        return camel(self.graph.name)

    @property
    def result(self) -> str:
        return "Tensor" if len(self.graph.outputs) == 1 else "Output"

    def read(self) -> set[str]:
        """Inputs that the model itself reads."""
        used = {v.name for node in self.root.nodes for v in node.inputs if v is not None} | {v.name for v in self.root.outputs}
        if self.graph.defaults:
            used |= {v.name for v in self.graph.defaults.inputs}
        return used | self.measured

    def defaulted(self) -> dict[str, Value]:
        return {v.name: v for v in self.graph.defaults.outputs} if self.graph.defaults else {}

    def inputs(self) -> list[Value]:
        """The forward method's inputs: those that must be given first."""
        read = self.read()
        given = [v for v in self.root.inputs if v.name in read]
        return sorted(given, key=lambda v: v.optional or v.name in self.defaulted())

    def write(self) -> Body:
        """The forward method's statements."""
        body = self.written()
        missing = body.sizes.keys() - {"past"}
        if missing and not self.measured:
            self.measured = frozenset(v.name for v in self.root.inputs if missing & {s for d in v.type.shape for s in n.reads(d)})
            body = self.written()
        self.module.body = body
        return body

    def written(self) -> Body:
        self.module.region = self.root
        self.module.check_names()
        body = Body(self.module, self.root)
        body.begin(self.inputs(), self.root.nodes, self.root.outputs)
        body.variables.blocked |= {"cache", "past"} if self.graph.stream else set()
        extra = self.graph.defaults.inputs if self.graph.defaults else ()
        for value in extra:
            body.variables.left[value.name] = body.variables.left.get(value.name, 0) + 1
        if self.graph.defaults:
            self.write_defaults(body, self.graph.defaults)
        write_nodes(body, self.root.nodes, held_back(self.root))
        texts = body.results(self.root.outputs)
        text = texts[0] if len(texts) == 1 else f"Output({', '.join(texts)})"
        body.lines += statement("return ", text, 8)
        if "past" in body.sizes or any("past" in line for line in body.lines):
            body.lines.insert(0, f"        past = {self.past()}")
        return body

    def write_defaults(self, body: Body, defaults: Region) -> None:
        """`if x is None: x = …`, each in turn."""
        read = {v.name for v in self.inputs()}
        for output in (o for o in defaults.outputs if o.name in read):
            inner = Body(self.module, defaults, indent=12)
            needed = _needed(defaults, output)
            given = [v for v in self.inputs() if v.name not in self.defaulted()]
            inner.begin(given, needed, (output,))
            for node in needed:
                write_node(inner, node, needed)
            body.line(f"if {output.name} is None:")
            text = inner.results((output,))[0]
            body.lines += inner.lines
            if text != output.name:
                body.lines += statement(f"{output.name} = ", text, 12, shape_text(output.type))
            body.sizes |= inner.sizes

    def past(self) -> str:
        """What counts the tokens already seen: the cache, where there is one."""
        counted = _length(self.module, "cache")
        if not counted and self.module.stateful:
            message = "positions count on while decoding, but no causal attention keeps count of the tokens seen"
            raise UnsupportedError(Diagnostic("U004", message, None, "take 'stream' out of the spec"))
        return f"{counted}.length if cache is not None else 0" if counted else "0"

    def text(self) -> list[str]:
        """The class."""
        assert self.module.body is not None
        lines = [f"class {self.name}(nn.Module):", *docstring([self.graph.summary.split("\n")[0] or f"{self.graph.name}."], 4), ""]
        methods = [*self.forward(), *self.losses(), *self.cache(), *init_method(self.graph, self.module)]
        self.module.keep_attributes(methods)
        for word in self.module.attributes:
            self.module.argument(word)
        init = [*self.module.init_lines(), *self.ties()]
        self.classes.arrange(self.module)
        head = ["self", *(f"{word}: {self.classes.kind(word, self.module)} = {self.default(word)}" for word in self.module.arguments)]
        lines += wrapped("def __init__(", head, ") -> None:", 4)
        return [*lines, "        super().__init__()", *init, "        self.init_weights()", "", *methods]

    def default(self, word: str) -> str:
        value = dict(self.root.bindings)[word]
        assert isinstance(value, Num)
        return repr(value.value)

    def ties(self) -> list[str]:
        return [f"        {_path(alias)} = {_path(owner)}  # tied" for alias, owner in self.graph.ties]

    def forward(self) -> list[str]:
        assert self.module.body is not None
        params = [self.parameter(v) for v in self.inputs()]
        cache = [f"cache: {self.module.cache_annotation()} | None = None"] if self.module.stateful else []
        head = wrapped("def forward(", ["self", *params, *cache], f") -> {self.result}:", 4)
        return [*head, *docstring([self.contract()], 8), *self.module.body.lines]

    def parameter(self, value: Value) -> str:
        absent = value.optional or value.name in self.defaulted()
        return f"{value.name}: Tensor" + (" | None = None" if absent else "")

    def contract(self) -> str:
        takes = ", ".join(f"{v.name} {shape_text(v.type)}" for v in self.inputs())
        gives = ", ".join(f"{name} {shape_text(v.type)}" for name, v in self.graph.outputs)
        text = f"{takes} -> {gives}."
        return text if len(text) < 95 else f"-> {gives}."

    def cache(self) -> list[str]:
        if not self.module.stateful:
            return []
        kind = self.module.cache_annotation()
        doc = '        """An empty cache for decoding: room for `capacity` tokens."""'
        return ["", f"    def make_cache(self, capacity: int) -> {kind}:", doc, *statement("return ", _empty(self.module, "self"), 8)]

    def losses(self) -> list[str]:
        lines: list[str] = []
        for loss in self.graph.losses:
            name = "loss" if len(self.graph.losses) == 1 else f"loss_{loss.name}"
            lines += ["", *self.loss(loss, name)]
        return lines

    def loss(self, loss: Loss, name: str) -> list[str]:
        """A method that runs the model and scores it."""
        fed = {v.name for v in loss.feed.outputs} if loss.feed else set[str]()
        required = [v for v in self.root.inputs if self.asked(loss, v)]
        optional = [v for v in self.inputs() if self.absent(v) and v.name not in fed and v not in required]
        head = ["self", *(f"{v.name}: Tensor" for v in required), *(f"{v.name}: Tensor | None = None" for v in optional)]
        body = Body(self.module, loss.region)
        body.begin([replace(v, optional=False) for v in required], loss.region.nodes, loss.region.outputs)
        lines = self.feed(loss) if loss.feed else []
        called = f"self({', '.join(f'{v.name}={v.name}' for v in self.inputs() if v in required or v in optional or v.name in fed)})"
        lines += self.run(body, loss, called)
        write_nodes(body, loss.region.nodes, set())
        lines += [*body.lines, *statement("return ", body.results(loss.region.outputs)[0], 8)]
        return [*wrapped(f"def {name}(", head, ") -> Tensor:", 4), *docstring([_loss_words(loss)], 8), *lines]

    def asked(self, loss: Loss, value: Value) -> bool:
        """Whether the caller of a loss hands this input."""
        fed = {v.name for v in loss.feed.outputs} if loss.feed else set[str]()
        asked = {v.name for v in (*loss.region.inputs, *(loss.feed.inputs if loss.feed else ()))}
        return value.name not in fed and (value.name in asked or (value in self.inputs() and not self.absent(value)))

    def absent(self, value: Value) -> bool:
        return value.optional or value.name in self.defaulted()

    def feed(self, loss: Loss) -> list[str]:
        assert loss.feed is not None
        body = Body(self.module, loss.feed)
        given = [replace(v, optional=False) for v in self.root.inputs if self.asked(loss, v)]
        body.begin(given, loss.feed.nodes, loss.feed.outputs)
        write_nodes(body, loss.feed.nodes, set())
        for output in loss.feed.outputs:
            text = body.results((output,))[0]
            if text != output.name:
                body.lines += statement(f"{output.name} = ", text, 8, shape_text(output.type))
        return body.lines

    def run(self, body: Body, loss: Loss, called: str) -> list[str]:
        """The model's results as variables of the loss."""
        used = [v for v in loss.region.inputs if v.name in dict(self.graph.outputs)]
        if len(self.graph.outputs) == 1 and used:
            body.variables.bind(used[0].name, used[0])
            return statement(f"{used[0].name} = ", called, 8)
        for value in used:
            body.variables.bind(value.name, value)
        if len(used) == 1:
            return statement(f"{used[0].name} = ", f"{called}.{used[0].name}", 8)
        return [*statement("out = ", called, 8), *(f"        {v.name} = out.{v.name}" for v in used)]

    def facts(self) -> list[str]:
        """The head of the file's docstring."""
        return [f"Size     {parameter_count(self.graph):,} parameters"]


def _loss_words(loss: Loss) -> str:
    """What the loss is, in words."""
    words = {"cross_entropy": "mean cross-entropy in nats", "mean_error": "mean error"}
    last = loss.region.nodes[-1]
    kind = words.get(last.op.name, "a number to minimise") if isinstance(last, Apply) else "a number to minimise"
    return f"The loss '{loss.name}': {kind}."


def _needed(region: Region, output: Value) -> tuple:
    wanted, kept = {output.name}, []
    for node in reversed(region.nodes):
        if any(o.name in wanted for o in node.outputs):
            kept.append(node)
            wanted |= {v.name for v in node.inputs if v is not None}
    return tuple(reversed(kept))


def _path(name: str, out: str = "self") -> str:
    """`self.h[0].attn.weight` for `h.0.attn.weight`."""
    for part in name.split("."):
        out += f"[{part}]" if part.isdigit() else f".{part}"
    return out


def _length(module: Module, prefix: str) -> str:
    """The first growing state below a module."""
    pieces = module.pieces()
    for position, piece in enumerate(pieces):
        here = prefix if len(pieces) == 1 else f"{prefix}[{position}]"
        if isinstance(piece, State):
            found = here if piece.kind == "append" else ""
        elif isinstance(piece, Call):
            found = _length(module.child(piece.region), here)
        else:
            layers = ((module.child(v), f"{here}[{piece.schedule.index(i)}]") for i, v in enumerate(piece.variants))
            found = next((length for layer, place in layers if (length := _length(layer, place))), "")
        if found:
            return found
    return ""


def _empty(module: Module, owner: str, depth: int = 1) -> str:
    """The expression for an empty cache of a module, which `owner` is."""
    made: list[str] = []
    for piece in module.pieces():
        if isinstance(piece, State):
            made.append("KVCache(capacity)" if piece.kind == "append" else "Held()")
        elif isinstance(piece, Call):
            made.append(_empty(module.child(piece.region), _path(piece.region.name, owner), depth))
        else:
            made.append(_layers(module, piece, _path(piece.name, owner), depth))
    return made[0] if len(made) == 1 else f"[{', '.join(made)}]" if made else "None"


def _layers(module: Module, node: Repeat, path: str, depth: int) -> str:
    """A list of the layers' caches; layers that keep alike are not told apart."""
    word = "layer" if depth == 1 else f"layer_{depth}"
    one = f"{path}[0]" if node.shared else word
    kinds = {_empty(module.child(v), one, depth + 1) for v in node.variants}
    if len(kinds) > 1:
        return f"[{', '.join(_empty(module.child(node.variants[v]), f'{path}[{i}]', depth) for i, v in enumerate(node.schedule))}]"
    (text,) = kinds
    assert module.body is not None
    owner = path.rpartition(".")[0]
    over = f"range({module.body.number(node.count).text.replace('self.', f'{owner}.')})" if node.shared else path
    return f"[{text} for {word if word in text and not node.shared else '_'} in {over}]"
