"""Activation memory of one device in Megatron's convention, derived value by value.

Korthikanti et al. 2022, arXiv:2205.05198, section 4: 2 bytes for each element that a backward pass needs, 1
byte for each element of a dropout mask; inputs of products, norms and activations, queries, keys and values,
the softmax and its dropout. For a GPT layer the sum is their s*b*h*(10 + 24/t + 5*a*s/(h*t)) (equation 2),
with sequence parallelism s*b*h/t*(34 + 5*a*s/h) (equation 4), 34*s*b*h/t with selective recomputation
(equation 6). What one emitted model keeps is a measured thing; this is the published model of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from msgspec import Struct

from archspec.analysis.sharding.collective import WIDTHS, counted, fraction
from archspec.analysis.sharding.errors import LayoutError
from archspec.analysis.sharding.shard import Sharded
from archspec.analysis.sharding.tensor import Crossing, Site, Tensor
from archspec.analysis.sharding.tokens import Tokens
from archspec.dims.num import Num
from archspec.errors import Diagnostic
from archspec.ir.ops.attention import Attention
from archspec.ir.ops.contract import Conv, ConvTranspose, Einsum, Linear, Matmul
from archspec.ir.ops.elementwise import Arith, Dropout, Map, Scalar
from archspec.ir.ops.loss import CrossEntropy
from archspec.ir.ops.norm import BatchNorm, GroupNorm, LayerNorm, RmsNorm
from archspec.ir.ops.recurrence import Scan
from archspec.ir.ops.reduce import Softmax
from archspec.ir.ops.shape import Permute, Reshape
from archspec.ir.types import TensorType

RECOMPUTE = ("none", "selective", "full")
_INPUTS = (Linear, Matmul, Einsum, Conv, ConvTranspose, LayerNorm, RmsNorm, GroupNorm, BatchNorm)
_RESULTS = (Softmax, Scan)
_BY_RESULT = ("exp", "tanh", "sigmoid", "sqrt", "rsqrt", "reciprocal", "relu")


class Kept(Struct, frozen=True):
    """What one device keeps of one value. `path`: the first module that reads it, in `times` layers.

    `core`: it is as large as attention's scores.
    """

    path: str
    value: str
    elements: Num
    width: int
    times: int
    core: bool = False

    @property
    def bytes(self) -> Num:
        return self.elements * self.width


@dataclass(slots=True)
class _Saving:
    sharded: Sharded
    sp: bool
    width: int
    tokens: Tokens
    found: dict[tuple[Tensor, str], Kept] = field(default_factory=dict[tuple[Tensor, str], Kept])
    storage: dict[Tensor, Tensor] = field(default_factory=dict[Tensor, Tensor])

    def run(self) -> tuple[Kept, ...]:
        for site in self.sharded.trace.sites:
            if isinstance(site.op, Reshape | Permute) or _nothing(site):
                x = site.inputs[0]
                assert x is not None
                self.storage[site.outputs[0]] = self.storage.get(x, x)
            if any(x.learned for x in site.outputs) or isinstance(site.op, CrossEntropy):
                self.site(site)
        return tuple(self.found.values())

    def site(self, site: Site) -> None:
        if isinstance(site.op, Attention):
            self.attention(site)
        elif isinstance(site.op, Dropout) and site.op.p.value != 0:
            self.keep(site, site.outputs[0], "mask", 1)
        for x in _saved(site):
            x = self.storage.get(x, x)
            scores = isinstance(site.op, CrossEntropy)
            self.keep(
                site, x, "fp32" if scores else "", 4 if scores else WIDTHS.get(x.type.dtype, self.width)
            )

    def keep(self, site: Site, x: Tensor, what: str, width: int) -> None:
        elements = self.elements(x, self.sharded.cut.type(x), spread=not isinstance(site.op, Attention))
        name = f"{x.name} {what}".strip()
        self.found.setdefault((x, what), Kept(site.path, name, elements, width, site.times))

    def elements(self, x: Tensor, type_: TensorType, *, spread: bool = True) -> Num:
        """What a device has of it; sequence parallelism spreads the tokens of what tp leaves whole.

        Keys and values that are whole, because their one head is shared, are not spread: queries read them
        all.
        """
        count = counted(*type_.shape)
        spread = spread and self.sp and self.tokens.along(x) and not self.sharded.cut.holds_part(x)
        return fraction(count, 1, self.sharded.tp) if spread else count

    def attention(self, site: Site) -> None:
        """Scores [B, H, Q, K]: the softmax and, with dropout, its mask and what it gives."""
        q, k = site.inputs[:2]
        assert isinstance(site.op, Attention)
        assert q is not None
        assert k is not None
        shapes = self.sharded.cut.type(q).shape[:3], self.sharded.cut.type(k).shape[2:3]
        count = counted(*shapes[0], *shapes[1])
        parts = [("softmax", self.width)]
        parts += [("mask", 1), ("dropout", self.width)] if site.op.dropout.value != 0 else []
        for what, width in parts:
            self.found[site.outputs[0], what] = Kept(site.path, what, count, width, site.times, core=True)


def _nothing(site: Site) -> bool:
    return isinstance(site.op, Dropout) and site.op.p.value == 0


def _saved(site: Site) -> Iterator[Tensor]:
    """The values whose elements the backward pass of an operation reads."""
    op, (first, *_) = site.op, (*site.inputs, None)
    by_result = isinstance(op, Map) and op.fn in _BY_RESULT
    if isinstance(op, _RESULTS) or by_result:
        yield site.outputs[0]
    elif isinstance(op, _INPUTS) or (isinstance(op, Arith) and op.fn in ("mul", "div", "pow")):
        yield from (x for x in site.inputs if x is not None and not x.constant and x.float_)
    elif isinstance(op, Attention):
        yield from (x for x in site.inputs[:3] if x is not None)
    elif first is not None and (isinstance(op, CrossEntropy) or _curved(op)):
        yield first


def _curved(op: object) -> bool:
    """Whether a function of one value has a derivative that depends on it."""
    return (isinstance(op, Map) and op.fn not in ("neg", "not")) or (
        isinstance(op, Scalar) and op.fn == "pow"
    )


def activations(
    sharded: Sharded, *, sp: bool = False, recompute: str = "none", width: int = 2
) -> tuple[Kept, ...]:
    """What one device keeps for the backward pass of one microbatch, in B and S.

    `selective` computes attention's scores again, `full` everything of a layer but its input. `width`: bytes
    of `float`. Raises LayoutError: G010 for another `recompute`, G011 where `sp` cannot be.
    """
    if recompute not in RECOMPUTE:
        problem = f"recompute is '{recompute}', not one of {', '.join(RECOMPUTE)}"
        raise LayoutError(Diagnostic("G010", problem))
    check_sp(sharded, sp)
    saving = _Saving(sharded, sp and sharded.tp > 1, width, sharded.tokens)
    kept = saving.run()
    if recompute == "full":
        return _inputs_alone(saving, kept)
    return tuple(k for k in kept if not (k.core and recompute == "selective"))


def _inputs_alone(saving: _Saving, kept: tuple[Kept, ...]) -> tuple[Kept, ...]:
    layers = [
        step for step in saving.sharded.trace.steps if isinstance(step, Crossing) and _outermost(step, saving)
    ]
    inside = tuple(step.path for step in layers)
    outside = [k for k in kept if not any(f"{k.path}.".startswith(f"{path}.") for path in inside)]
    inputs = [
        Kept(step.path, x.name, saving.elements(x, saving.sharded.cut.type(x)), saving.width, step.times)
        for step in layers
        for x, _ in step.entering[: len(step.outer)]
    ]
    return (*outside, *inputs)


def _outermost(step: Crossing, saving: _Saving) -> bool:
    others = [s.path for s in saving.sharded.trace.steps if isinstance(s, Crossing) and s.path != step.path]
    return not step.summed and not any(f"{step.path}.".startswith(f"{path}.") for path in others)


def check_sp(sharded: Sharded, sp: bool) -> None:
    """G011: sequence parallelism needs tp, and tokens that nothing mixes outside of what tp cuts."""
    tokens = sharded.tokens
    alone = tokens.alone(sharded.cut) if sp and sharded.tp > 1 else None
    if sp and sharded.tp == 1:
        raise LayoutError(Diagnostic("G011", "sp spreads tokens over the devices of tp, and tp is 1"))
    if sp and not tokens.roots:
        name = sharded.trace.graph.name
        raise LayoutError(Diagnostic("G011", f"sp: '{name}' has no tokens: no attention and no scan"))
    if alone is not None:
        problem = f"sp: {alone.op.name} in '{alone.path}' needs the whole sequence, and tp does not cut it"
        raise LayoutError(Diagnostic("G011", problem))
