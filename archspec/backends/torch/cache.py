"""How the cache of a model is laid out: one part per module that keeps something while decoding."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct

from archspec.ir.graph import Call, Repeat

if TYPE_CHECKING:
    from archspec.backends.torch.module import Module

Keeper: TypeAlias = "str | Call | Repeat"
CLASSES = {"append": "KVCache", "hold": "Held", "recall": "Carried"}
MADE = {"append": "KVCache(capacity)", "hold": "Held()", "recall": "Carried()"}
COUNTS = ("append", "recall")


class Slot(Struct, frozen=True):
    """One part of a module's cache: a state of its own, by name and kind, or what a child keeps."""

    keeper: Keeper
    kind: str = ""


class Layout:
    """The parts of one module's cache, in order. A module with a single part hands that on as it is."""

    def __init__(self, module: Module) -> None:
        self.module = module
        own = [Slot(state.name, state.kind) for state in module.region.states]
        children = (node for node in module.region.nodes if isinstance(node, Call | Repeat))
        self.slots = own + [Slot(node) for node in children if any(child.slots for child in self.below(node))]

    def below(self, node: Call | Repeat) -> list[Layout]:
        """The layout of a called module, or of each layer."""
        if isinstance(node, Call):
            return [self.module.child(node).cache]
        variants = self.module.layers(node)
        return [variants[variant].cache for variant in node.schedule]

    def of(self, keeper: Keeper, owner: str = "cache") -> str | None:
        """The expression for a part: `cache`, `cache[1]`; None where the keeper keeps nothing."""
        for position, slot in enumerate(self.slots):
            if slot.keeper is keeper or (isinstance(keeper, str) and slot.keeper == keeper):
                return owner if len(self.slots) == 1 else f"{owner}[{position}]"
        return None

    def annotation(self) -> str:
        """The type: `KVCache`, `list[KVCache]`, `tuple[Held, list[KVCache]]`; `None` for nothing."""
        kinds = [self._annotated(slot) for slot in self.slots] or ["None"]
        return kinds[0] if len(kinds) == 1 else f"tuple[{', '.join(kinds)}]"

    def _annotated(self, slot: Slot) -> str:
        if isinstance(slot.keeper, str):
            return CLASSES[slot.kind]
        kinds = dict.fromkeys(child.annotation() for child in self.below(slot.keeper))
        inner = " | ".join(sorted(kinds, key=lambda kind: kind == "None"))
        return inner if isinstance(slot.keeper, Call) else f"list[{inner}]"

    def empty(self, owner: str) -> str:
        """The expression that makes it; `owner` is the module."""
        made = [self._made(slot, owner) for slot in self.slots] or ["None"]
        return made[0] if len(made) == 1 else f"({', '.join(made)})"

    def _made(self, slot: Slot, owner: str) -> str:
        if isinstance(slot.keeper, str):
            return MADE[slot.kind]
        child, below = self.module.place(slot.keeper, owner), self.below(slot.keeper)
        if isinstance(slot.keeper, Call):
            return below[0].empty(child)
        word = "layer_2" if owner == "layer" else "layer"
        one, over = word, child
        if slot.keeper.shared:
            one, over = f"{child}[0]", f"range({self.module.kept(slot.keeper.count, owner)})"
        items = list(dict.fromkeys(layer.empty(one) for layer in below))
        if len(items) > 1:
            return f"[{', '.join(layer.empty(f'{child}[{i}]') for i, layer in enumerate(below))}]"
        return f"[{items[0]} for {word if f'{word}.' in items[0] else '_'} in {over}]"

    def length(self, owner: str = "cache") -> str | None:
        """The expression for the tokens that are in it, read off the first part that counts."""
        found = (self._counted(slot, self.of(slot.keeper, owner) or owner) for slot in self.slots)
        return next((length for length in found if length), None)

    def _counted(self, slot: Slot, here: str) -> str | None:
        if isinstance(slot.keeper, str):
            return f"{here}.length" if slot.kind in COUNTS else None
        if isinstance(slot.keeper, Call):
            return self.below(slot.keeper)[0].length(here)
        found = (layer.length(f"{here}[{i}]") for i, layer in enumerate(self.below(slot.keeper)))
        return next((length for length in found if length), None)
