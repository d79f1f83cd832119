"""Operations that emitted source defines: `torch.library.custom_op` and `torch.ops`, on shapes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import ModuleType, SimpleNamespace
from typing import Any

from archspec.backends.torch.fake.make import made, needs_grad, remember
from archspec.backends.torch.fake.node import operand
from archspec.backends.torch.fake.run import Kernel, Run, current, gradients, running, uncast
from archspec.backends.torch.fake.tensor import Tensor, ghost, tensors


class Context:
    """What an operation of the source's own saves, and whatever else it notes."""

    saved: Sequence[Tensor] = ()
    needs_input_grad: tuple[bool, ...] = ()

    def save_for_backward(self, *tensors: Tensor) -> None:
        self.saved = tensors

    @property
    def saved_tensors(self) -> Sequence[Tensor]:
        return self.saved


class Custom:
    """What leads back through such an operation: its context, whose tensors are the node's to keep."""

    def __init__(
        self, backward: Callable[..., Any], context: Context, args: Sequence[Any], outs: Sequence[Tensor]
    ) -> None:
        self._backward, self._context = backward, context
        self._tensors = [isinstance(x, Tensor) for x in args]
        self._outs = [(x.shape, x.dtype) for x in outs]
        context.saved = [ghost(operand(x)) for x in context.saved]

    def gradients(self, grads: Mapping[int, Tensor]) -> list[Tensor | None]:
        """The gradients of operands that are tensors, from those of results: zeros where there is none."""
        given = [
            grads[i] if i in grads else made("zeros", (), shape, dtype)
            for i, (shape, dtype) in enumerate(self._outs)
        ]
        with uncast():
            found: Sequence[Tensor | None] = self._backward(self._context, *given)
        return [x for x, wanted in zip(found, self._tensors, strict=True) if wanted]

    def flops(self, run: Run) -> int:
        """Those of the backward pass, by going through it once, where nothing is counted as alive."""
        with running(Run(run.device, default=run.default)) as dry:
            shape, dtype = self._outs[0]
            self.gradients({0: made("gradient", (), shape, dtype)})
        return dry.flops


class CustomOp:
    """Its result by `register_fake`, or where `inside` says so by what it does; what it saves by its context.

    `formula`: its FLOPs of its arguments, where tensors are shapes.
    """

    def __init__(self, name: str, body: Callable[..., Any], *, inside: bool = False) -> None:
        self.name, self.body, self.inside = name, body, inside
        self.backward: Callable[..., Any] | None = None
        self.context: Callable[..., None] | None = None
        self.formula: Callable[..., int] | None = None

    def register_fake(self, shapes: Callable[..., Any]) -> None:
        if not self.inside:
            self.body = shapes

    def register_autograd(self, backward: Callable[..., Any], *, setup_context: Callable[..., None]) -> None:
        self.backward, self.context = backward, setup_context

    def __call__(self, *args: Any) -> Any:
        out = self._ran(args) if self.inside else self.body(*args)
        given = [x for x in args if isinstance(x, Tensor)]
        if self.backward and self.context and needs_grad(*given):
            kept = Context()
            kept.needs_input_grad = tuple([isinstance(x, Tensor) and x.requires_grad for x in args])
            self.context(kept, args, out)
            self._remember(self.backward, args, list(tensors(out)), kept)
        return out

    def _remember(
        self, backward: Callable[..., Any], args: Sequence[Any], outs: Sequence[Tensor], kept: Context
    ) -> None:
        run, saves = current(), [("saved", x) for x in kept.saved]
        way = Custom(backward, kept, args, outs)
        given = [x for x in args if isinstance(x, Tensor)]
        flops = way.flops(run) if self.inside else 0
        node = remember(outs[0], self.name, given, saves, flops, way)
        run.needed = run.flops
        for slot, out in enumerate(outs):
            out.node, out.slot, out.requires_grad = node, slot, True

    def _ran(self, args: Sequence[Any]) -> Any:
        """What it does, noted as one operation."""
        run = current()
        with gradients(False):
            before, out = len(run.kernels), self.body(*args)
        parts, run.kernels[before:] = run.kernels[before:], []
        flops = 0
        if self.formula is not None:
            flops = self.formula(*[x.shape if isinstance(x, Tensor) else x for x in args])
        run.flops += flops
        if run.counting:
            read = sum(x.touched for x in args if isinstance(x, Tensor)) + sum(k.read for k in parts)
            written, dtype = sum(k.written for k in parts), next(iter(tensors(out))).dtype
            run.kernels.append(Kernel(self.name, run.place, flops, read, written, dtype.name))
        return out


class Operations:
    """`torch.ops`: a namespace for each prefix of a name. `inside`: see `CustomOp`."""

    def __init__(self, *, inside: bool = False) -> None:
        self.inside = inside

    def __getattr__(self, prefix: str) -> SimpleNamespace:
        found = self.__dict__[prefix] = SimpleNamespace()
        return found

    def define(self, name: str, body: Callable[..., Any] | None = None, *, mutates_args: Any = ()) -> Any:
        """`torch.library.custom_op`, also as a decorator."""
        if body is None:
            return partial(self.define, name)
        prefix, _, own = name.partition("::")
        made = CustomOp(own, body, inside=self.inside)
        setattr(getattr(self, prefix), own, made)
        return made


class FlopFormulas(ModuleType):
    """`torch.utils.flop_counter`: what source says of its own operations."""

    def __init__(self) -> None:
        super().__init__("torch.utils.flop_counter")
        self.flop_registry = dict[CustomOp, Callable[..., int]]()

    def register_flop_formula(self, operation: CustomOp) -> Callable[[Callable[..., int]], None]:
        def register(formula: Callable[..., int]) -> None:
            self.flop_registry[operation] = operation.formula = formula

        return register
