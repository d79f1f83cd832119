"""A region as a class: what its forward method may ask of it, and the text that comes of it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from archspec.backends.torch.annotations import taken_as
from archspec.backends.torch.cache import Layout
from archspec.backends.torch.construct import leaf_text
from archspec.backends.torch.copied import runtime_names
from archspec.backends.torch.dialect import ByRows
from archspec.backends.torch.forward import DEVICE, DTYPE, Body, shape_text
from archspec.backends.torch.layout import docstring, statement, wrapped
from archspec.backends.torch.members import init_lines
from archspec.backends.torch.nodes import write_nodes
from archspec.backends.torch.parts import Parts
from archspec.backends.torch.python import literal, python
from archspec.backends.torch.scope import stem
from archspec.backends.torch.words import ATTRIBUTES, READ, RESERVED, refuse
from archspec.dims import num as n
from archspec.dims.num import Num
from archspec.ir.graph import Apply, Call, Region, Repeat, Value

if TYPE_CHECKING:
    from archspec.backends.torch.classes import Classes


@dataclass(slots=True)
class Module:
    """One class of the file. `static_names`: the numbers that its constructor may read.

    `arguments`: those that it takes. `attributes`: those that it keeps for the forward method, and as what.
    `dropouts`, `specials`: further modules that it makes, by probability and by name. `words`: what the
    forward method calls its inputs; `sizes`: the sizes that it is told, and as what. `leaf`: the `torch.nn`
    module that the region is, if it is one.
    """

    classes: Classes
    region: Region
    static_names: frozenset[str]
    arguments: dict[str, None] = field(default_factory=dict[str, None])
    attributes: dict[str, str] = field(default_factory=dict[str, str])
    dropouts: dict[str, str] = field(default_factory=dict[str, str])
    specials: dict[str, str] = field(default_factory=dict[str, str])
    words: dict[str, str] = field(default_factory=dict[str, str])
    sizes: dict[str, str] = field(default_factory=dict[str, str])
    children: dict[int, list[Module]] = field(default_factory=dict[int, "list[Module]"])
    takes_cache: bool = False
    name: str = ""
    leaf: str | None = None
    lines: list[str] = field(default_factory=list[str])
    layout: Layout | None = None

    @property
    def parts(self) -> Parts:
        return self.classes.parts

    @property
    def cache(self) -> Layout:
        """What the module keeps while decoding."""
        if self.layout is None:
            self.layout = Layout(self)
        return self.layout

    # the modules inside

    def child(self, node: Call) -> Module:
        return self._modules(node, id(node.region))[0]

    def layers(self, node: Repeat) -> list[Module]:
        """The class of each variant."""
        return self._modules(node, id(node.variants))

    def _modules(self, node: Call | Repeat, key: int) -> list[Module]:
        if key not in self.children:
            self.children[key] = self.classes.modules(node, self)
        return self.children[key]

    def names_inside(self) -> list[str]:
        """The names of the modules inside, as the path of a parameter spells them: `layer.0`."""
        nodes = (node for node in self.region.nodes if not isinstance(node, Apply))
        return [node.region.name if isinstance(node, Call) else node.name for node in nodes]

    def place(self, node: Call | Repeat, owner: str = "self") -> str:
        """`self.layer[0]` for the child `layer.0`."""
        name = node.region.name if isinstance(node, Call) else node.name
        return f"{owner}." + re.sub(r"\.(\d+)", r"[\1]", name)

    def any_parameter(self) -> str | None:
        """`weight`, `table.weight`: a parameter in here, to ask for its device and dtype."""
        if self.region.params:
            return self.region.params[0].name
        for node in self.region.nodes:
            inner = self.layers(node)[0] if isinstance(node, Repeat) else None
            inner = self.child(node) if isinstance(node, Call) else inner
            found = inner.any_parameter() if inner else None
            if found and not isinstance(node, Apply):
                layer = "[0]" if isinstance(node, Repeat) else ""
                return f"{self.place(node).removeprefix('self.')}{layer}.{found}"
        return None

    # numbers

    def number(self, number: Num) -> str:
        """A static number over the constructor's arguments."""
        if not n.reads(number) <= self.static_names:
            return literal(number.value, self.parts.require).text
        return python(number.expr, self.argument, self.parts.require).text

    def argument(self, word: str) -> str:
        refuse([word], READ, "a number")
        self.arguments.setdefault(word)
        return word

    def kept(self, number: Num, owner: str = "self") -> str:
        """A static number in a method: over the attributes that the constructor keeps."""
        if not n.reads(number) <= self.static_names:
            return literal(number.value, self.parts.require).text
        return python(number.expr, lambda word: f"{owner}.{self.attribute(word)}", self.parts.require).text

    def attribute(self, word: str) -> str:
        """The attribute that keeps an argument of the constructor."""
        if word not in self.attributes:
            self.attributes[word] = self.free(word, *(f"{word}{'_' * i}" for i in range(1, 99)))
        return self.attributes[word]

    def free(self, *names: str) -> str:
        """The first of these that is not an attribute yet."""
        taken = {name.split(".")[0] for name in self.names_inside()} | {p.name for p in self.region.params}
        taken |= {*self.dropouts.values(), *self.specials, *self.attributes.values()} | ATTRIBUTES
        return next(name for name in names if name not in taken)

    def special(self, name: str, constructor: str) -> str:
        """A further module, by its constructor; gives its attribute."""
        name = self.free(name, *(f"{name}_{i}" for i in range(2, 99)))
        self.specials[name] = constructor
        return name

    def dropout(self, p: Num) -> str:
        """The attribute of a dropout module with this probability."""
        text = self.number(p)
        if text not in self.dropouts:
            self.dropouts[text] = self.free("dropout", *(f"dropout_{i}" for i in range(2, 99)))
        return self.dropouts[text]

    # text

    def write(self, *, as_leaf: bool = True) -> None:
        """Work out the forward method, and with it all that the constructor must hold."""
        refuse([*self.names_inside(), *(p.name for p in self.region.params)], ATTRIBUTES, "a module")
        self.leaf = leaf_text(self) if as_leaf else None
        if self.leaf is not None:
            return
        self.forget()
        self.words = parameter_words(self.region.inputs)
        body = Body(self, self.region)
        body.begin(self.region.inputs, self.region.nodes, self.region.outputs)
        write_nodes(body, self.region.nodes)
        body.lines += statement("return ", ", ".join(body.results(self.region.outputs)), 8)
        self.lines = body.lines
        self.takes_cache = bool(self.cache.slots)
        self.keep_attributes(body.lines)
        init_lines(self)  # which asks for arguments
        self.classes.arrange(self)

    def follow(self, owner: Module) -> None:
        """Be a further call of another module's class."""
        self.name, self.leaf, self.arguments = owner.name, owner.leaf, owner.arguments
        self.takes_cache = owner.takes_cache
        if len(self.sizes) != len(owner.sizes):
            self.sizes = dict(owner.sizes)

    def forget(self) -> None:
        """As if nothing had been written yet."""
        for found in (self.arguments, self.attributes, self.dropouts, self.specials, self.sizes):
            found.clear()

    def keep_attributes(self, lines: list[str]) -> None:
        """Forget numbers that a rule asked for but did not write; the others must be handed in."""
        text = "\n".join(lines)
        self.attributes = {w: a for w, a in self.attributes.items() if re.search(rf"self\.{a}\b", text)}
        for word in self.attributes:
            self.argument(word)

    def signature(self) -> list[str]:
        """The forward method's parameters."""
        inputs = (
            f"{self.words[v.name]}: {' | '.join(taken_as(self.region, v))}{' | None' if v.optional else ''}"
            for v in self.region.inputs
        )
        kinds = {DEVICE: "torch.device", DTYPE: "torch.dtype"}
        sizes = (f"{word}: {kinds.get(size, 'int')}" for size, word in self.sizes.items())
        return ["self", *inputs, *sizes, *self.cache_parameter()]

    def cache_parameter(self) -> list[str]:
        if not self.takes_cache:
            return []
        kind = self.cache.annotation()
        return [f"cache: {kind} = None" if kind == "None" else f"cache: {kind} | None = None"]

    def returns(self) -> str:
        outputs = ", ".join("Tensor" for _ in self.region.outputs)
        return f"tuple[{outputs}]" if len(self.region.outputs) > 1 else outputs

    def text(self) -> list[str]:
        """The class."""
        lines = [f"class {self.name}(nn.Module):", *docstring([self.summary()], 4), ""]
        init = init_lines(self)
        if init:
            head = ["self", *(f"{word}: {self.classes.kind(word, self)}" for word in self.arguments)]
            lines += [
                *wrapped("def __init__(", head, ") -> None:", 4),
                "        super().__init__()",
                *init,
                "",
            ]
        head = wrapped("def forward(", self.signature(), f") -> {self.returns()}:", 4)
        return [*lines, *self.decorators(), *head, *self.lines]

    def decorators(self) -> list[str]:
        """Those of the forward method."""
        if not isinstance(self.region, ByRows):
            return []
        self.parts.require("runtime:rows.by_rows")
        return ["    @by_rows"]

    def summary(self) -> str:
        """`Attention: x [B, S, D] -> [B, S, D].`, of the first input only where that would be long."""
        takes = [f"{self.words[v.name]} {shape_text(v.type)}" for v in self.region.inputs]
        gives = ", ".join(shape_text(v.type) for v in self.region.outputs)
        word = self.classes.spoken(self.region.component)
        full = f"{word}: {', '.join(takes)} -> {gives}." if takes else f"{word}: {gives}."
        return full if len(full) < 100 or not takes else f"{word}: {takes[0]} -> {gives}."

    def key(self) -> str:
        """What makes two regions the same class: everything but the comments."""
        lines = (*init_lines(self), *self.decorators(), *self.signature(), *self.lines)
        code = [line.split("  # ")[0] for line in lines]
        return "\n".join([*self.arguments, "--", *code])


def parameter_words(inputs: tuple[Value, ...]) -> dict[str, str]:
    """What a method calls its inputs: `skips`, `x_2` for the values `skips_7`, `x_4` of another module."""
    words: dict[str, str] = {}
    names, taken = {value.name for value in inputs}, RESERVED | runtime_names()
    for value in inputs:
        base = value.name if {f"{stem(value.name)}_{i}" for i in (0, 1)} & names else stem(value.name)
        base = f"{base}_" if base in taken else base
        options = (base, *(f"{base}_{i}" for i in range(2, len(names) + 2)))
        words[value.name] = next(word for word in options if word not in words.values())
    return words
