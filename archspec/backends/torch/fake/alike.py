"""Which calls of modules are alike: the same layers, given tensors that lie alike.

On shapes, what a call does depends on nothing else: emitted layers are closed (decision 0002), and reach only
what they are given and what they hold. Where this cannot be told, a call is like no other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from archspec.backends.torch.fake.dtypes import DType
from archspec.backends.torch.fake.tensor import Tensor

if TYPE_CHECKING:  # a module asks for this
    from archspec.backends.torch.fake.nn import Module

Kinds: TypeAlias = dict[Any, int]

_PLAIN = frozenset((int, float, str, bool, type(None), DType))
_OWN = frozenset(("its path", "its layer", "its kind", "its tensors"))  # which tell no two layers apart


def kind(module: Module, kinds: Kinds) -> int:
    """The same number for modules of the same class with the same content. `kinds`: those known so far."""
    known: int | None = module.__dict__.get("its kind")
    if known is None:
        content: list[Any] = [type(module)]
        for name, value in module.__dict__.items():
            if name not in _OWN:
                content += (name, _described(value, kinds))
        known = module.__dict__["its kind"] = kinds.setdefault(tuple(content), len(kinds))
    return known


def _described(value: Any, kinds: Kinds) -> Any:
    own: type[Any] = value.__class__
    if own in _PLAIN:
        return own, value
    if isinstance(value, Tensor):
        return own, *_lies(value), value.storage.role
    if isinstance(value, (list, tuple)):
        return own, *[_described(each, kinds) for each in cast("Sequence[Any]", value)]
    if isinstance(value, dict):
        return own, *[(k, _described(each, kinds)) for k, each in cast("dict[Any, Any]", value).items()]
    return (kind(value, kinds), None) if hasattr(value, "held") else ("unlike any", id(value))


def _lies(x: Tensor) -> tuple[Any, ...]:
    return x.shape, x.strides, x.dtype, x.requires_grad, x.number, x.filled


def own(module: Module) -> list[Tensor]:
    """The parameters and buffers of a module and all inside, in an order that modules of a kind share."""
    known: list[Tensor] | None = module.__dict__.get("its tensors")
    if known is None:
        known = []
        for x in module.held():
            if isinstance(x, Tensor):
                known.append(x)
            elif hasattr(x, "held"):
                known += own(x)
        module.__dict__["its tensors"] = known
    return known


def shared(tensors: Iterable[Tensor]) -> tuple[int, ...]:
    """For each tensor the first that has its storage."""
    first = dict[int, int]()
    return tuple([first.setdefault(id(x.storage), i) for i, x in enumerate(tensors)])


def described(given: Any, tensors: list[Tensor]) -> Any:
    """What is given to a call, as a key; its tensors are added to `tensors`. None: not to be told."""
    if isinstance(given, Tensor):
        tensors.append(given)
        leaf = given.requires_grad and given.node is None
        return None if leaf or given.storage.role == "parameter" else (*_lies(given), given.storage.role)
    if given.__class__ in _PLAIN:
        return given.__class__, given
    if isinstance(given, (tuple, list)):
        parts = [described(each, tensors) for each in cast("Sequence[Any]", given)]
        return None if None in parts else (given.__class__, *parts)
    return None


def joined(tensors: Sequence[Tensor]) -> tuple[Any, ...]:
    """Which of the tensors are the same result of an operation, and which share a storage."""
    first = dict[tuple[int, int], int]()
    nodes = [x.node and first.setdefault((x.node.order, x.slot), i) for i, x in enumerate(tensors)]
    return shared(tensors), tuple(nodes)
