"""The call that makes a module: of a class of the file, or of `torch.nn`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from archspec.backends.torch.init import leaf
from archspec.backends.torch.ops.write import NumberText
from archspec.dims.num import Num, outward
from archspec.dims.num import Value as Setting
from archspec.ir.graph import Apply, Region

if TYPE_CHECKING:
    from archspec.backends.torch.module import Module


def construct(
    parent: Module,
    module: Module,
    region: Region,
    bindings: Mapping[str, Setting] | None = None,
    spelt: Mapping[str, str] | None = None,
) -> str:
    """The call that makes the module, with the numbers as `parent` writes them, or as they are `spelt`."""
    scope = dict(region.bindings) if bindings is None else dict(bindings)
    if module.leaf is not None:
        text = leaf_text(module, lambda number: parent.number(outward(number, scope)))
        assert text is not None
        return text
    texts = [(spelt or {}).get(word) or _given(parent, word, scope) for word in module.arguments]
    return f"{module.name}({', '.join(texts)})"


def _given(parent: Module, word: str, scope: Mapping[str, Setting]) -> str:
    """What stands for an argument: a number, None where the scope says so, else what is around."""
    value = scope.get(word)
    if word in scope and value is None:
        return "None"
    return parent.number(value) if isinstance(value, Num) else parent.argument(word)


def leaf_text(module: Module, number: NumberText | None = None) -> str | None:
    """The constructor of the `torch.nn` module that the whole region is, if it is one."""
    region = module.region
    if len(region.nodes) != 1 or len(region.inputs) != 1 or region.states:
        return None
    node, x = region.nodes[0], region.inputs[0]
    if not isinstance(node, Apply) or node.outputs != region.outputs or x not in node.inputs:
        return None
    own = {param.value: param for param in region.params}
    rest = [value for value in node.inputs if value is not None and value != x]
    if not all(value in own for value in rest) or len(rest) != len(own):
        return None
    return leaf(node.op, tuple(own[value] for value in rest), number or module.number, x.type)
