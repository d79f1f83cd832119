"""All classes of a file: one per distinct module, named after what it is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from archspec.backends.torch.copied import runtime_names
from archspec.backends.torch.dialect import FlexMask, FlexScore, Mask, Score
from archspec.backends.torch.flex_functions import flex_mask, flex_score
from archspec.backends.torch.masks import mask_function, mask_name
from archspec.backends.torch.module import Module
from archspec.backends.torch.pair_functions import PairFunction
from archspec.backends.torch.parts import Parts
from archspec.backends.torch.scope import stem
from archspec.backends.torch.scores import score_function, score_name
from archspec.backends.torch.words import RESERVED
from archspec.dims.num import Num
from archspec.ir.graph import Apply, Call, Region, Repeat, walk

SPELLING = {
    "mlp": "MLP", "ff": "FeedForward", "lm": "LM", "rmsnorm": "RMSNorm", "layernorm": "LayerNorm",
    "groupnorm": "GroupNorm", "batchnorm": "BatchNorm",
}  # fmt: skip


def camel(text: str) -> str:
    """`dec_layer` as `DecLayer`."""
    parts = (part for part in re.split(r"[\W_]+", text) if part)
    return "".join(SPELLING.get(part.lower(), part[:1].upper() + part[1:]) for part in parts) or "Module"


def model_name(text: str, taken: Iterable[str] = ()) -> str:
    """The name of a whole model: a short word with a number is spelt in capitals."""
    parts = (p.upper() if re.fullmatch(r"[a-z]{1,4}[0-9]+", p) else p for p in re.split(r"[\W_]+", text))
    name = camel("_".join(parts))
    return f"{name}Model" if name in RESERVED or name in {*taken} else name


class Classes:
    """Modules by region. Regions that read the same become one class.

    `ambiguous` holds components that turned out to be several classes on an earlier run, each at a place of
    its own: those are called after it. `words`: the names in the graph, which no function or class may have.
    """

    def __init__(self, root: Region, dims: tuple[str, ...], ambiguous: frozenset[str] = frozenset()) -> None:
        self.parts = Parts()
        self.dims = dims
        self.ambiguous = ambiguous
        self.words = frozenset(_words(root)) | {*dims} | RESERVED | runtime_names()
        self.by_key: dict[str, Module] = {}
        self.taken: set[str] = set()
        self.ordered: list[Module] = []
        self.functions: dict[object, tuple[str, PairFunction]] = {}
        self.several: dict[str, dict[str, str]] = {}
        self.root_bindings = dict(root.bindings)
        self.lacking = {word for _, region, _ in walk(root) for word, x in region.bindings if x is None}

    def modules(self, node: Call | Repeat, parent: Module) -> list[Module]:
        """The classes of a node's regions inside `parent`; those of a loop are called alike."""
        modules = [self._written(region, parent) for region in node.regions]
        owner = _owner(node, parent.region) if isinstance(node, Call) else None
        if owner is not None and owner is not node:
            modules[0].follow(parent.child(owner))
            return modules
        sizes = {size: word for module in modules for size, word in module.sizes.items()}
        cached = any(module.takes_cache for module in modules)
        for module in modules:
            if module.leaf is not None and (sizes or cached):
                module.write(as_leaf=False)
            module.sizes, module.takes_cache = dict(sizes), cached
            if module.leaf is None:
                self._settle(module, parent)
        return modules

    def _written(self, region: Region, parent: Module) -> Module:
        numbers = {name: value for name, value in region.bindings if isinstance(value, Num)}
        static = {name for name, value in numbers.items() if value.static}
        static |= {name for name, value in region.bindings if value is None}
        module = Module(self, region, (parent.static_names - numbers.keys()) | static)
        module.write()
        return module

    def _settle(self, module: Module, parent: Module) -> None:
        """Give the module its name: that of an equal one seen before, or a new one."""
        component = module.region.component
        if not module.region.nodes and not module.region.inputs:
            component = "parameter"
        key = module.key()
        place = camel(f"{parent.region.component}_{module.region.name.split('.')[0]}")
        self.several.setdefault(component, {}).setdefault(key, place)
        if key not in self.by_key:
            module.name = self._fresh(place if component in self.ambiguous else camel(component))
            self.by_key[key] = module
            self.ordered.append(module)
        module.name = self.by_key[key].name

    def _fresh(self, wanted: str) -> str:
        names = (wanted, *(f"{wanted}{i}" for i in range(2, 1000)))
        name = next(n for n in names if n not in self.taken and n not in self.words and n != "Module")
        self.taken.add(name)
        return name

    def arrange(self, module: Module) -> None:
        """Constructor arguments in the order in which the spec names them."""
        order = [*self.root_bindings, *dict(module.region.bindings)]
        places = {word: order.index(word) if word in order else len(order) for word in module.arguments}
        module.arguments = dict.fromkeys(sorted(module.arguments, key=places.__getitem__))

    @staticmethod
    def spoken(component: str) -> str:
        """`dec_layer` as `Dec Layer`."""
        return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", camel(component))

    def kind(self, word: str, module: Module) -> str:
        """`int`, `float` or `int | None`, for a constructor's argument."""
        found = dict(module.region.bindings).get(word) or self.root_bindings.get(word)
        kind = "float" if isinstance(found, Num) and isinstance(found.value, float) else "int"
        return f"{kind} | None" if word in self.lacking else kind

    def of_pairs(self, op: Mask | Score, node: Apply) -> tuple[str, tuple[str, ...]]:
        """The function for a mask or score: its name, and its arguments in order."""
        base = mask_name(op) if isinstance(op, Mask) else score_name(op)
        key = _of_pairs(base, op, node).lines
        if key not in self.functions:
            base = f"make_{base}" if base in self.words else base
            taken = {name for name, _ in self.functions.values()}
            name = next(n for n in (base, *(f"{base}_{i}" for i in range(2, 999))) if n not in taken)
            self.functions[key] = name, _of_pairs(name, op, node)
        name, function = self.functions[key]
        return name, function.arguments


def _of_pairs(name: str, op: Mask | Score, node: Apply) -> PairFunction:
    if isinstance(op, FlexMask):
        return flex_mask(name, op, node.inputs, node.span)
    if isinstance(op, FlexScore):
        return flex_score(name, op, node.inputs, node.span)
    if isinstance(op, Mask):
        return mask_function(name, op, node.inputs, node.span)
    return score_function(name, op, node.inputs, node.span)


def _owner(node: Call, around: Region) -> Call:
    """Of several calls of a module, the one whose region is its class: one that keeps state, or the first."""
    calls = [n for n in around.nodes if isinstance(n, Call) and n.region.name == node.region.name]
    return next((call for call in calls if _keeps(call.region)), calls[0])


def _keeps(region: Region) -> bool:
    """Whether a region, or one in it, has state."""
    return bool(region.states) or any(_keeps(inner) for node in region.nodes for inner in node.regions)


def _words(root: Region) -> Iterator[str]:
    """Every name of a value, number or module in the graph, with and without its number."""
    for _, region, _ in walk(root):
        made = (output for node in region.nodes for output in node.outputs)
        values = (value.name for value in (*region.inputs, *made))
        modules = (node.name if isinstance(node, Repeat) else "" for node in region.nodes)
        for name in (*values, *modules, *dict(region.bindings), region.component):
            yield from (name, stem(name))
