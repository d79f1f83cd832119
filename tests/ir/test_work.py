"""Every operation says how it is counted: nothing is free because nobody thought of it."""

from typing import ClassVar

import pytest
from msgspec import structs

from archspec.dims import num as n
from archspec.dims.num import Num
from archspec.dims.parse import parse
from archspec.ir.op import WORK, Op
from archspec.ir.ops import REGISTRY
from archspec.ir.ops.attention import Attention, Rope
from archspec.ir.ops.contract import Conv, ConvTranspose, Einsum, Linear, Matmul
from archspec.ir.ops.elementwise import Dropout, Map
from archspec.ir.ops.norm import LayerNorm
from archspec.ir.ops.reduce import Softmax
from archspec.ir.types import TensorType


def of(*shape: int | str) -> TensorType:
    return TensorType("float", tuple(n.symbol(d) if isinstance(d, str) else n.num(d) for d in shape))


@pytest.mark.parametrize("name", sorted(REGISTRY))
def test_every_operation_states_its_work(name: str):
    op = REGISTRY[name]
    assert op.work in WORK
    assert (op.work == "product") == (op.flops is not Op.flops)


def test_what_states_nothing_fails():
    class Unstated(Op, frozen=True):
        dialect: ClassVar = "test"

    class Product(Op, frozen=True):
        dialect: ClassVar = "test"
        work: ClassVar = "product"

    for op, methods in ((Unstated(), ("flops", "elementwise")), (Product(), ("flops",))):
        for method in methods:
            with pytest.raises(AssertionError, match="states no"):
                getattr(op, method)(of(2))


ONE, NONE = n.num(1), n.num(0)
CONV = Conv((n.num(2), ONE), ((ONE, ONE), (NONE, NONE)), (ONE, ONE), n.num(2))
UP = ConvTranspose((n.num(2),), (NONE,), (NONE,), (ONE,), ONE)
ATTENTION = Attention(ONE, None, NONE, (), (), None, NONE)
SCORED = structs.replace(
    ATTENTION, mask=parse("keep[b, k]"), operands=("t", "keep"), score=parse("t[h, min(q - k, 2, q)] * 0.5")
)
QKV = (of(2, 8, 5, 16), of(2, 4, 7, 16), of(2, 4, 7, 24))

FLOPS: list[tuple[Op, tuple[TensorType | None, ...], int]] = [
    (Linear(), (of(3, 5, 8), of(4, 8), of(4)), 2 * 3 * 5 * 8 * 4),
    (Matmul(), (of(3, 1, 4, 5), of(2, 5, 6)), 2 * 3 * 2 * 4 * 5 * 6),
    (CONV, (of(3, 4, 9, 8), of(6, 2, 3, 5), None), 2 * 3 * 6 * 5 * 4 * 2 * 3 * 5),
    (UP, (of(3, 4, 9), of(4, 6, 2), None), 2 * 3 * 4 * 9 * 6 * 2),
    (ATTENTION, QKV, 2 * 2 * 8 * 5 * 7 * (16 + 24)),
    (Einsum("bqd,bkd->bqk"), (of(2, 3, 4), of(2, 5, 4)), 2 * 2 * 3 * 5 * 4),
    (Einsum("ab,bc,cd->ad"), (of(2, 3), of(3, 4), of(4, 5)), 2 * 2 * 3 * 4 + 2 * 2 * 4 * 5),
    (Einsum("ab,ab->ab"), (of(2, 3), of(2, 3)), 0),
    (Map("silu"), (of(2, 3),), 0),
]


@pytest.mark.parametrize(("op", "types", "flops"), FLOPS)
def test_flops(op: Op, types: tuple[TensorType | None, ...], flops: int):
    assert int(op.flops(*types)) == flops
    assert int(op.backward_flops((True, True, True), *types)) == 2 * flops
    assert int(op.backward_flops((False,) * len(types), *types)) == 0


def test_gradients_that_nobody_needs_cost_nothing():
    linear = (of(3, 8), of(4, 8))
    assert int(Linear().backward_flops((False, True), *linear)) == 2 * 3 * 8 * 4
    per_width = 2 * 2 * 8 * 5 * 7
    assert int(ATTENTION.backward_flops((False, False, True), *QKV)) == per_width * 24
    assert int(ATTENTION.backward_flops((True, False, False), *QKV)) == per_width * (16 + 24)
    flags = (False,) * 5
    assert int(SCORED.backward_flops((*flags, True, False), *QKV)) == per_width * 24
    assert int(SCORED.backward_flops((*flags, False, True), *QKV)) == 0
    chain = Einsum("ab,bc,cd->ad")
    types = (of(2, 3), of(3, 4), of(4, 5))
    assert int(chain.backward_flops((False, False, True), *types)) == 2 * 2 * 4 * 5


ELEMENTWISE: list[tuple[Op, tuple[TensorType, ...], int]] = [
    (Map("gelu"), (of(2, 3),), 6),
    (Dropout(n.num(0.1)), (of(2, 3),), 0),
    (Softmax(), (of(2, 3),), 30),
    (LayerNorm(n.num(1e-5)), (of(2, 3), of(3), of(3)), 7 * 6),
    (Rope(), (of(1, 2, 5, 8), of(5, 3), of(5, 3)), 3 * 2 * 5 * 6),
    (Einsum("ab,ab->ab"), (of(2, 3), of(2, 3)), 6),
    (Linear(), (of(2, 3), of(4, 3)), 0),
    (ATTENTION, QKV, 6 * 2 * 8 * 5 * 7),
    (SCORED, QKV, (6 + 1 + 4) * 2 * 8 * 5 * 7),
]


@pytest.mark.parametrize(("op", "types", "count"), ELEMENTWISE)
def test_single_elements(op: Op, types: tuple[TensorType, ...], count: int):
    assert int(op.elementwise(*types)) == count


def test_in_symbols():
    found: Num = Linear().flops(of("B", "S", 8), of(4, 8))
    assert str(found) == "64 * B * S"
