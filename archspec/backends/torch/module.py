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
from archspec.backends.torch.scope import Variables
from archspec.dims import num as n
from archspec.dims.expr import Literal
from archspec.dims.num import Num
from archspec.ir.graph import Apply, Call, Region, Repeat
from archspec.ir.ops.state import Hold

if TYPE_CHECKING:
    from archspec.backends.torch.classes import Classes


@dataclass(slots=True)
class Module:
    """One class of the file. `arguments`: the numbers its constructor takes; `sizes`: sizes its forward is told.

    `attributes` maps a number's name to the attribute that keeps it for the forward method.
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

    # what the forward method asks

    @property
    def stateful(self) -> bool:
        return bool(self.cache_parts())

    def cache_parts(self) -> list[tuple[str, str]]:
        """Pieces of cache in order: (kind, name), where kind is `append`, `hold`, `call` or `repeat`."""
        own = [(state.kind, state.name) for state in self.region.states]
        for node in self.region.nodes:
            if isinstance(node, Call) and not node.shared and self.child(node.region).stateful:
                own.append(("call", node.region.name))
            elif isinstance(node, Repeat) and self.child(node.variants[0]).stateful:
                own.append(("repeat", node.name))
        return own

    def _cache(self, kinds: tuple[str, ...], name: str) -> str | None:
        parts = self.cache_parts()
        for position, (kind, part) in enumerate(parts):
            if kind in kinds and part == name:
                return "cache" if len(parts) == 1 else f"cache[{position}]"
        return None

    def cache_of(self, name: str) -> str | None:
        """The expression for a child's part of the cache; None where the child keeps nothing."""
        found = self._cache(("call", "repeat"), name)
        if found is None or found == "cache":
            return found
        is_loop = ("repeat", name) in self.cache_parts()
        return found if is_loop else f"{found} if cache is not None else None"

    def state_of(self, name: str) -> str:
        return self._cache(("append", "hold"), name) or "cache"

    def attribute(self, word: str) -> str:
        """A number of the constructor, kept for the forward method."""
        if word not in self.attributes:
            taken = {self.path(c).split("[")[0] for c in self.child_names()} | {f"self.{s}" for s in (*self.dropouts.values(), *self.specials)}
            taken |= {f"self.{p.name}" for p in self.region.params}
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
            taken = {name.split(".")[0] for name in self.child_names()} | set(self.dropouts.values())
            self.dropouts[text] = next(x for x in ("dropout", *(f"dropout_{i}" for i in range(2, 99))) if x not in taken)
        return self.dropouts[text]

    def mask(self, op: Mask, node: Apply) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
        return self.classes.mask(op, node)

    def layer_name(self, node: Repeat, variables: Variables) -> str:
        component = node.variants[0].component
        name = component if component != node.name and component.isidentifier() else "layer"
        return name if name not in variables.holds and name not in variables.blocked else "layer"

    def child(self, region: Region) -> Module:
        if id(region) not in self.children:
            self.children[id(region)] = self.classes.module(region, self)
        return self.children[id(region)]

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
            text = f"self.{param.name} = nn.Parameter({made})" if param.trainable else f'self.register_buffer("{param.name}", {made})'
            lines.append(f"        {text}")
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
        return ["self", *parts, *([f"cache: {self.cache_annotation()} | None = None"] if self.stateful else [])]

    def cache_annotation(self) -> str:
        """The type of this module's part of the cache."""
        kinds = self.cache_parts()
        names = {"append": "KVCache", "hold": "Held"}
        if len(kinds) == 1:
            kind, name = kinds[0]
            if kind in names:
                return names[kind]
            inner = self.child(self.region_of(name)).cache_annotation()
            return inner if kind == "call" else f"list[{inner}]"
        return "list"

    def region_of(self, name: str) -> Region:
        for node in self.region.nodes:
            if isinstance(node, Call) and node.region.name == name:
                return node.region
            if isinstance(node, Repeat) and node.name == name:
                return node.variants[0]
        raise AssertionError(name)

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
