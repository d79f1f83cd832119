"""Operations that emitted source defines: `torch.library.custom_op` and `torch.ops`, on shapes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

from archspec.backends.torch.fake.make import needs_grad, remember
from archspec.backends.torch.fake.node import operand
from archspec.backends.torch.fake.tensor import Tensor, ghost


class Context:
    """What an operation of the source's own saves, and whatever else it notes."""

    saved: Sequence[Tensor] = ()

    def save_for_backward(self, *tensors: Tensor) -> None:
        self.saved = tensors

    @property
    def saved_tensors(self) -> Sequence[Tensor]:
        return self.saved


class Custom:
    """What leads back through such an operation: its context, whose tensors are the node's to keep."""

    def __init__(self, backward: Callable[..., Any], context: Context, args: Sequence[Any]) -> None:
        self._backward, self._context = backward, context
        self._tensors = [isinstance(x, Tensor) for x in args]
        context.saved = [ghost(operand(x)) for x in context.saved]

    def gradients(self, grad: Tensor) -> list[Tensor | None]:
        """The gradients of the operands that are tensors."""
        found: Sequence[Tensor | None] = self._backward(self._context, grad)
        return [x for x, wanted in zip(found, self._tensors, strict=True) if wanted]


class CustomOp:
    """Its result by `register_fake`, what it saves by its context."""

    def __init__(self, name: str, body: Callable[..., Any]) -> None:
        self.name, self.shapes = name, body
        self.backward: Callable[..., Any] | None = None
        self.context: Callable[..., None] | None = None

    def register_fake(self, shapes: Callable[..., Any]) -> None:
        self.shapes = shapes

    def register_autograd(self, backward: Callable[..., Any], *, setup_context: Callable[..., None]) -> None:
        self.backward, self.context = backward, setup_context

    def __call__(self, *args: Any) -> Any:
        out = self.shapes(*args)
        tensors = [x for x in args if isinstance(x, Tensor)]
        if self.backward and self.context and needs_grad(*tensors):
            kept = Context()
            self.context(kept, args, out)
            saves = [("saved", x) for x in kept.saved]
            remember(out, self.name, tensors, saves, detail=Custom(self.backward, kept, args))
        return out


class Operations:
    """`torch.ops`: a namespace for each prefix of a name."""

    def __getattr__(self, prefix: str) -> SimpleNamespace:
        found = self.__dict__[prefix] = SimpleNamespace()
        return found

    def define(self, name: str, body: Callable[..., Any], *, mutates_args: Any = ()) -> CustomOp:
        """`torch.library.custom_op`."""
        prefix, _, own = name.partition("::")
        made = CustomOp(own, body)
        setattr(getattr(self, prefix), own, made)
        return made
