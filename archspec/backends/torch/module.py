"""A region as a class: its constructor, its forward method, and what it needs from outside."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from archspec.backends.torch.dialect import Mask
from archspec.backends.torch.forward import Body, shape_text, statement
from archspec.backends.torch.init import leaf
from archspec.backends.torch.layout import docstring, wrapped
from archspec.backends.torch.nodes import exclusive, write_nodes
from archspec.backends.torch.parts import Parts
from archspec.backends.torch.python import python
from archspec.backends.torch.scope import METHODS, Variables
from archspec.dims import num as n
from archspec.dims.expr import Literal
from archspec.dims.num import Num
from archspec.errors import Diagnostic, UnsupportedError
from archspec.ir.graph import Apply, Call, Region, Repeat, State
from archspec.ir.ops.state import Hold

if TYPE_CHECKING:
    from archspec.backends.torch.classes import Classes


@dataclass(slots=True)
class Module:
    """One class of the file. `arguments`: the numbers its constructor takes; `sizes`: sizes its forward is told.

    `attributes` maps a number's name to the attribute that keeps it for the forward method. `handed`: a layer that
    keeps nothing, beside others that do.
    """

    classes: Classes
    region: Region
    path_name: str
    static_names: frozenset[str]
    parts: Parts
    cache_type: str | None = None
    arguments: dict[str, None] = field(default_factory=dict)
    sizes: tuple[str, ...] = ()
    attributes: dict[str, str] = field(default_factory=dict)
    specials: dict[str, str] = field(default_factory=dict)
    dropouts: dict[str, str] = field(default_factory=dict)
    children: dict[int, Module] = field(default_factory=dict)
    name: str = ""
    body: Body | None = None
    leaf: str | None = None
    handed: bool = False

    # what the forward method asks

    @property
    def stateful(self) -> bool:
        return bool(self.pieces())

    def pieces(self) -> list[State | Call | Repeat]:
        """What keeps a piece of the cache, in order; a module that is called twice keeps one for each call."""
        nodes = (node for node in self.region.nodes if not isinstance(node, Apply))
        return [*self.region.states, *(node for node in nodes if any(map(keeps, node.regions)))]

    def _cache(self, position: int) -> str:
        return "cache" if len(self.pieces()) == 1 else f"cache[{position}]"

    def cache_of(self, node: Call | Repeat) -> str | None:
        """The expression for a child's piece of the cache; None where the child keeps nothing."""
        position = next((i for i, piece in enumerate(self.pieces()) if piece is node), None)
        if position is None:
            return None
        found = self._cache(position)
        return found if found == "cache" or isinstance(node, Repeat) else f"{found} if cache is not None else None"

    def state_of(self, name: str) -> str:
        return self._cache(next(i for i, state in enumerate(self.region.states) if state.name == name))

    def attribute(self, word: str) -> str:
        """A number of the constructor, kept for the forward method."""
        if word not in self.attributes:
            taken = {self.path(c).split("[")[0] for c in self.child_names()} | {f"self.{s}" for s in (*self.dropouts.values(), *self.specials)}
            taken |= {f"self.{p.name}" for p in self.region.params} | {f"self.{word}" for word in METHODS}
            self.attributes[word] = f"{word}_" if f"self.{word}" in taken else word
        return f"self.{self.attributes[word]}"

    def child_names(self) -> list[str]:
        return [node.region.name if isinstance(node, Call) else node.name for node in self.region.nodes if not isinstance(node, Apply)]

    def path(self, name: str) -> str:
        """`self.layer[0]` for the child `layer.0`."""
        return "self." + re.sub(r"\.(\d+)", r"[\1]", name)

    def special(self, name: str, constructor: str) -> str:
        self.specials[name] = constructor
        return name

    def dropout(self, p: Num) -> str:
        """The attribute of a dropout module with this probability."""
        text = self.number(p)
        if text not in self.dropouts:
            taken = {name.split(".")[0] for name in self.child_names()} | {*self.dropouts.values(), *self.attributes.values()}
            self.dropouts[text] = next(x for x in ("dropout", *(f"dropout_{i}" for i in range(2, 99))) if x not in taken)
        return self.dropouts[text]

    def mask(self, op: Mask, node: Apply) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
        return self.classes.mask(op, node)

    def layer_name(self, node: Repeat, variables: Variables) -> str:
        component = node.variants[0].component
        name = component if component != node.name and component.isidentifier() else "layer"
        return name if name not in variables.holds and name not in variables.blocked else "layer"

    def child(self, region: Region) -> Module:
        """The class of a region inside this one; layers of one loop are made together."""
        if id(region) not in self.children:
            loops = (node for node in self.region.nodes if isinstance(node, Repeat))
            found = next((node.variants for node in loops if any(v is region for v in node.variants)), (region,))
            made = self.classes.modules(tuple(map(self._kept, found)), self)
            self.children |= {id(r): module for r, module in zip(found, made, strict=True)}
        return self.children[id(region)]

    def _kept(self, region: Region) -> Region:
        """The region itself, or where another call of its module keeps something, that call's."""
        calls = [n.region for n in self.region.nodes if isinstance(n, Call) and n.region.name == region.name]
        return next((r for r in calls if keeps(r)), region)

    # numbers in the constructor

    def number(self, number: Num) -> str:
        """A static number over the constructor's arguments."""
        if not n.reads(number) <= self.static_names:
            return python(Literal(number.value), str, self.parts.require).text  # type: ignore[arg-type]  # static
        return python(number.expr, self.argument, self.parts.require).text

    def argument(self, word: str) -> str:
        self.arguments.setdefault(word)
        return word

    # text

    def write(self) -> None:
        """Work out the forward method, and with it all that the constructor must hold."""
        self.leaf = self._leaf()
        if self.leaf is not None:
            return
        self.check_names()
        body = Body(self, self.region)
        body.begin(self.region.inputs, self.region.nodes, self.region.outputs)
        body.variables.blocked |= {"cache"}
        write_nodes(body, self.region.nodes, held_back(self.region))
        results = body.results(self.region.outputs)
        body.lines += statement("return ", ", ".join(results), 8)
        self.body, self.sizes = body, tuple(body.sizes)
        self.keep_attributes(body.lines)
        for word in self.attributes:
            self.argument(word)

    def check_names(self) -> None:
        """Raises `UnsupportedError` U004 for a module that a method of torch's modules would hide."""
        for node in self.region.nodes:
            name = node.region.name if isinstance(node, Call) else node.name if isinstance(node, Repeat) else ""
            word = name.split(".")[0]
            if word in METHODS:
                message = f"a module of torch cannot be called '{word}': its modules have a method of that name"
                raise UnsupportedError(Diagnostic("U004", message, node.span, f"try '{word}_'"))

    def keep_attributes(self, lines: list[str]) -> None:
        """Forget numbers that a rule asked for but did not write."""
        text = "\n".join(lines)
        self.attributes = {w: a for w, a in self.attributes.items() if re.search(rf"self\.{a}\b", text)}

    def _leaf(self) -> str | None:
        """The `torch.nn` module that the whole region is, if it is one."""
        region = self.region
        if len(region.nodes) != 1 or not isinstance(region.nodes[0], Apply) or len(region.inputs) != 1 or region.states:
            return None
        node = region.nodes[0]
        own = [p.value for p in region.params]
        x, *rest = sorted(node.inputs, key=lambda v: v in own)
        if x is None or x != region.inputs[0] or [v for v in rest if v is not None] != [v for v in node.inputs if v in own] or node.outputs != region.outputs:
            return None
        order = {v.name: p for v, p in zip(own, region.params, strict=True)}
        params = tuple(order[v.name] for v in rest if v is not None)
        return leaf(node.op, params, self.number, x.type) if len(params) == len(own) else None

    def init_lines(self) -> list[str]:
        """The statements of the constructor, after `super().__init__()`."""
        lines = [f"        self.{attribute} = {word}" for word, attribute in self.attributes.items()]
        lines += self._param_lines()
        done: set[str] = set()
        for node in self.region.nodes:
            if isinstance(node, Call) and not node.shared:
                base = node.region.name.split(".")[0]
                if base not in done:
                    done.add(base)
                    lines += self._call_lines(base)
            elif isinstance(node, Repeat):
                lines += self.classes.repeat_lines(self, node)
        lines += [f"        self.{attribute} = nn.Dropout({p})" for p, attribute in self.dropouts.items()]
        return lines + [f"        self.{name} = {text}" for name, text in self.specials.items()]

    def _param_lines(self) -> list[str]:
        lines: list[str] = []
        for param in self.region.params:
            shape = ", ".join(self.number(d) for d in param.value.type.shape)
            made = f"torch.empty({shape})"
            self.parts.require("import torch")
            head, text = (f"self.{param.name} = ", f"nn.Parameter({made})") if param.trainable else ("", f'self.register_buffer("{param.name}", {made})')
            lines += statement(head, text, 8)
        return lines

    def _call_lines(self, base: str) -> list[str]:
        """`self.name = …`, or a list of modules where names are numbered."""
        calls = [c for c in self.region.nodes if isinstance(c, Call) and not c.shared and c.region.name.split(".")[0] == base]
        made = [self.classes.construct(self, self.child(c.region), c.region) for c in calls]
        if calls[0].region.name == base:
            return statement(f"self.{base} = ", made[0], 8)
        return module_list(base, made)

    def signature(self) -> list[str]:
        parts = [f"{v.name}: Tensor" + (" | None" if v.optional else "") for v in self.region.inputs]
        parts += [f"{size}: int" for size in self.sizes]
        kept = f"cache: {self.cache_annotation()} | None = None" if self.stateful else "cache: None = None"
        return ["self", *parts, *([kept] if self.stateful or self.handed else [])]

    def cache_annotation(self) -> str:
        """The type of this module's part of the cache."""
        pieces = self.pieces()
        if len(pieces) != 1:
            return "list" if pieces else "None"
        if isinstance(pieces[0], State):
            return {"append": "KVCache", "hold": "Held"}[pieces[0].kind]
        inner = sorted({self.child(region).cache_annotation() for region in pieces[0].regions})
        return inner[0] if isinstance(pieces[0], Call) else f"list[{' | '.join(inner)}]"

    def returns(self) -> str:
        outputs = self.region.outputs
        return "Tensor" if len(outputs) == 1 else f"tuple[{', '.join('Tensor' for _ in outputs)}]"

    def text(self) -> list[str]:
        """The class."""
        assert self.body is not None
        lines = [f"class {self.name}(nn.Module):", *docstring([self.summary()], 4), ""]
        init = self.init_lines()
        if init:
            self.classes.arrange(self)
            head = ["self", *(f"{word}: {self.classes.kind(word, self)}" for word in self.arguments)]
            lines += [*wrapped("def __init__(", head, ") -> None:", 4), "        super().__init__()", *init, ""]
        lines += wrapped("def forward(", self.signature(), f") -> {self.returns()}:", 4)
        return lines + self.body.lines

    def summary(self) -> str:
        takes = ", ".join(f"{v.name} {shape_text(v.type)}" for v in self.region.inputs)
        gives = ", ".join(shape_text(v.type) for v in self.region.outputs)
        word = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", self.classes.spelling(self.region.component))
        text = f"{word}: {takes} -> {gives}." if takes else f"{word}: {gives}."
        return text if len(text) < 100 else f"{word}: {self.region.inputs[0].name} {shape_text(self.region.inputs[0].type)} -> {gives}."

    def key(self) -> str:
        """What makes two regions the same class: everything but names of shapes."""
        assert self.body is not None
        code = [line.split("  # ")[0] for line in (*self.init_lines(), *self.signature(), *self.body.lines)]
        return "\n".join([*self.arguments, "--", *code])


def keeps(region: Region) -> bool:
    """Whether a region, or one in it, has state."""
    return bool(region.states) or any(keeps(inner) for node in region.nodes for inner in node.regions)


def module_list(name: str, made: list[str]) -> list[str]:
    """A list of modules, one a line."""
    inner = [line for text in made for line in element(text)]
    return [f"        self.{name} = nn.ModuleList(", "            [", *inner, "            ]", "        )"]


def element(text: str) -> list[str]:
    """An item of a list, with its comma, on as many lines as it needs."""
    lines = statement("", text, 16)
    return [*lines[:-1], f"{lines[-1]},"]


def held_back(region: Region) -> set[int]:
    """Positions of nodes that are written inside the branch that holds them."""
    out: set[int] = set()
    for node in region.nodes:
        if isinstance(node, Apply) and isinstance(node.op, Hold):
            out |= exclusive(region.nodes, node)
    return out
