"""All classes of a file: one per distinct module, named after what it is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import groupby

from archspec.backends.torch.dialect import Mask
from archspec.backends.torch.forward import statement
from archspec.backends.torch.masks import MaskFunction, mask_function
from archspec.backends.torch.module import Module, module_list
from archspec.backends.torch.parts import Parts
from archspec.backends.torch.passes.attention import conjuncts
from archspec.dims import num as n
from archspec.dims.expr import write
from archspec.dims.num import Num
from archspec.ir.graph import Apply, Region, Repeat, walk

SPELLING = {"mlp": "MLP", "ff": "FeedForward", "lm": "LM"}


def place_name(parent: Module, region: Region) -> str:
    """A name after where the module stands: `DecLayerCrossAttn`."""
    base = region.name.split(".")[0]
    return camel(f"{parent.region.component}_{base}")


def camel(text: str) -> str:
    """`dec_layer` as `DecLayer`; a short word with a number is spelt in capitals."""
    return "".join(_spelt(part) for part in re.split(r"[\W_]+", text) if part) or "Module"


def _spelt(part: str) -> str:
    short = re.fullmatch(r"[a-z]{1,4}[0-9]+", part)
    return part.upper() if short else SPELLING.get(part.lower(), part[:1].upper() + part[1:])


class Classes:
    """Modules by region. Regions that read the same become one class.

    `ambiguous` holds components that turned out to be several classes on an earlier run, each at a
    place of its own: those are called after it.
    """

    def __init__(self, root: Region, dims: tuple[str, ...], ambiguous: frozenset[str] = frozenset()) -> None:
        self.parts = Parts()
        self.dims = dims
        self.ambiguous = ambiguous
        self.by_key: dict[str, Module] = {}
        self.taken: dict[str, str] = {}
        self.ordered: list[Module] = []
        self.masks: dict[object, tuple[str, MaskFunction]] = {}
        self.values = _value_names(root)
        self.several: dict[str, dict[str, str]] = {}
        self.root_bindings = dict(root.bindings)

    def modules(self, regions: Sequence[Region], parent: Module) -> list[Module]:
        """The classes of regions inside `parent`. Layers of one loop are called alike."""
        made = [self.opened(region, parent) for region in regions]
        sizes = tuple(dict.fromkeys(size for module in made for size in module.sizes))
        keeps = any(module.stateful for module in made)
        for module in made:
            module.sizes, module.handed = sizes, keeps
            if module.leaf is None:
                self.settle(module, parent)
        return made

    def opened(self, region: Region, parent: Module) -> Module:
        """A region's class that has no name yet."""
        scope = frozenset(parent.static_names | {name for name, v in region.bindings if isinstance(v, Num) and v.static})
        symbolic = {name for name, v in region.bindings if isinstance(v, Num) and not v.static}
        module = Module(self, region, region.name, scope - symbolic, self.parts)
        module.write()
        return module

    def settle(self, module: Module, parent: Module) -> None:
        """Give the module its name: that of an equal one seen before, or a new one."""
        component = module.region.component
        if not module.region.nodes and not module.region.inputs:
            component = "parameter"
        module.init_lines()
        self.arrange(module)
        key = module.key()
        self.several.setdefault(component, {}).setdefault(key, place_name(parent, module.region))
        if key in self.by_key:
            module.name = self.by_key[key].name
            return
        module.name = self.fresh(component, parent, module.region)
        self.by_key[key] = module
        self.ordered.append(module)

    def fresh(self, component: str, parent: Module, region: Region) -> str:
        wanted = place_name(parent, region) if component in self.ambiguous else camel(component)
        for name in (wanted, *(f"{wanted}{i}" for i in range(2, 1000))):
            if name not in self.taken and name not in ("Module", "KVCache", "Held", "Tensor", "Output"):
                self.taken[name] = component
                return name
        raise AssertionError(component)

    def arrange(self, module: Module) -> None:
        """Constructor arguments in the order in which the spec names them."""
        order = [*self.root_bindings, *dict(module.region.bindings)]
        module.arguments = dict.fromkeys(sorted(module.arguments, key=lambda w: order.index(w) if w in order else len(order)))

    @staticmethod
    def spelling(component: str) -> str:
        return camel(component)

    def construct(self, parent: Module, module: Module, region: Region) -> str:
        """The call that makes the module, with the numbers as `parent` writes them."""
        if module.leaf is not None:
            return self._leaf_in(parent, region)
        bindings = {name: v for name, v in region.bindings if isinstance(v, Num)}
        given = []
        for word in module.arguments:
            text = parent.number(bindings[word]) if word in bindings else parent.argument(word)
            given.append(text)
        return f"{module.name}({', '.join(given)})"

    def _leaf_in(self, parent: Module, region: Region) -> str:
        """A leaf's constructor is written in the parent's names."""
        here = Module(self, region, region.name, parent.static_names, self.parts)
        here.arguments = parent.arguments
        text = here._leaf()  # noqa: SLF001  (the same class)
        assert text is not None
        return text

    def repeat_lines(self, parent: Module, node: Repeat) -> list[str]:
        """`self.h = nn.ModuleList(…)`: a comprehension where one class serves all layers."""
        modules = [parent.child(v) for v in node.variants]
        schedule = node.schedule[:1] if node.shared else node.schedule
        count = "1" if node.shared else parent.number(node.count)
        names = {m.name or m.leaf for m in modules}
        if len(names) == 1:
            return self._uniform(parent, node, modules[0], schedule, count)
        runs: list[str] = []
        for variant, group in groupby(schedule):
            length = len(list(group))
            made = self.construct(parent, modules[variant], node.variants[variant])
            runs.append(f"*({made} for _ in range({length}))" if length > 1 else made)
        return module_list(node.name, runs)

    def _uniform(self, parent: Module, node: Repeat, module: Module, schedule: tuple[int, ...], count: str) -> list[str]:
        """One class: what differs between layers comes from the index or from a list."""
        differing = self._differing(node, schedule, module)
        region = node.variants[0]
        scope = parent.static_names
        parent.static_names = scope | {"i", *differing}
        before, parent.arguments = parent.arguments, {}
        bindings = {name: n.named(name, v) if name in differing else v for name, v in region.bindings if isinstance(v, Num)}
        if "i" in bindings:
            bindings["i"] = n.named("i", 0)
        made = self._with(parent, module, region, bindings)
        uses_index = "i" in parent.arguments
        parent.arguments = before | {k: None for k in parent.arguments if k not in ("i", *differing)}
        parent.static_names = scope
        loop = self._loop(parent, differing, uses_index, count)
        return statement(f"self.{node.name} = ", f"nn.ModuleList({made} {loop})", 8)

    def _with(self, parent: Module, module: Module, region: Region, bindings: dict[str, Num]) -> str:
        if module.leaf is not None:
            return self._leaf_in(parent, region)
        given = [parent.number(bindings[w]) if w in bindings else parent.argument(w) for w in module.arguments]
        return f"{module.name}({', '.join(given)})"

    @staticmethod
    def _differing(node: Repeat, schedule: tuple[int, ...], module: Module) -> dict[str, list[str]]:
        """Bindings that layers have different writings of, with each layer's."""
        out: dict[str, list[str]] = {}
        for name in module.arguments:
            texts = [write(dict(node.variants[v].bindings)[name].expr) for v in schedule if name in dict(node.variants[v].bindings)]  # type: ignore[union-attr]  # numbers
            if name != "i" and len(set(texts)) > 1:
                out[name] = texts
        return out

    @staticmethod
    def _loop(parent: Module, differing: dict[str, list[str]], uses_index: bool, count: str) -> str:
        if not differing:
            return f"for {'i' if uses_index else '_'} in range({count})"
        names = ", ".join(differing)
        rows = list(zip(*differing.values(), strict=True))
        items = ", ".join(row[0] if len(differing) == 1 else f"({', '.join(row)})" for row in rows)
        return f"for i, {names} in enumerate([{items}])" if uses_index else f"for {names} in [{items}]"

    def mask(self, op: Mask, node: Apply) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
        """The function for a mask: its name, its arguments in order, and the operands' names."""
        base = _mask_name(op)
        key = (base, mask_function(base, op, node.inputs, node.span).lines)
        if key not in self.masks:
            taken = {name for name, _ in self.masks.values()} | self.values
            name = next(x for x in (base, *(f"{base}_{i}" for i in range(2, 999))) if x not in taken)
            self.masks[key] = name, mask_function(name, op, node.inputs, node.span)
        name, function = self.masks[key]
        return name, function.arguments, op.operands

    def kind(self, word: str, module: Module) -> str:
        """`int` or `float`, for a constructor's argument."""
        found = dict(module.region.bindings).get(word) or self.root_bindings.get(word)
        return "float" if isinstance(found, Num) and isinstance(found.value, float) else "int"


def _value_names(root: Region) -> set[str]:
    """Names that variables may have: a function of the file must have another."""
    regions = [region for _, region, _ in walk(root)]
    made = (v for region in regions for node in region.nodes for v in node.outputs)
    return {v.name for v in (*(v for region in regions for v in region.inputs), *made)}


def _mask_name(op: Mask) -> str:
    words = [w for c in conjuncts(op.rule) if (w := _term_name(write(c), op.operands))]
    return "_".join([*(dict.fromkeys(words) or ["visible"]), "mask"])


def _term_name(text: str, operands: Iterable[str]) -> str:
    if text in ("k <= q", "q >= k"):
        return "causal"
    if text.startswith("q - k <"):
        return "window"
    return "padding" if any(text == f"{o}[b, k]" for o in operands) else ""

