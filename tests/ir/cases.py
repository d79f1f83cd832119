"""What each operation takes, and what it refuses: one table a family."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from msgspec.structs import replace

from archspec.dims import num as n
from archspec.dims.num import Num
from archspec.dims.parse import parse
from archspec.ir.op import Op
from archspec.ir.ops.attention import Attention, Rope, RopeFrequencies, RopeTable
from archspec.ir.ops.contract import Conv, ConvTranspose, Einsum, Linear, Matmul
from archspec.ir.ops.loss import CrossEntropy, MeanError
from archspec.ir.ops.norm import BatchNorm, GroupNorm, LayerNorm, RmsNorm
from archspec.ir.ops.recurrence import Scan
from archspec.ir.ops.spatial import Pool, Resample
from archspec.ir.ops.state import Append, Hold, Keep, Recall
from archspec.ir.types import TensorType
from tests.ir.types import f, f32, i, size, sizes

Types: TypeAlias = tuple[TensorType | None, ...]


@dataclass(frozen=True)
class Accepted:
    """An operation, its operands and what it gives."""

    op: Op
    operands: Types
    results: tuple[TensorType, ...]


@dataclass(frozen=True)
class Refused:
    """An operation and operands that it does not take."""

    op: Op
    operands: Types
    code: str


Case: TypeAlias = Accepted | Refused
EPS, ZERO, ONE, TWO = n.num(1e-5), n.num(0), n.num(1), n.num(2)


def takes(op: Op, *operands: TensorType | None, gives: tuple[TensorType, ...]) -> Accepted:
    return Accepted(op, operands, gives)


def refuses(code: str, op: Op, *operands: TensorType | None) -> Refused:
    return Refused(op, operands, code)


CROSS = CrossEntropy(n.num(-100), ZERO)
LOSS: tuple[Case, ...] = (
    takes(CROSS, f("B", "S", 10), i("B", "S"), gives=(f32(),)),
    refuses("T006", CROSS, f("B", 10), f("B")),
    refuses("T007", CROSS, i("B", 10), i("B")),
    refuses("T005", CROSS, f("B", "S", 10), i("B")),
    refuses("T001", CROSS, f("B", "S", 10), i("B", "T")),
    refuses("T011", CrossEntropy(n.num(-100), ONE), f("B", 10), i("B")),
    refuses("T014", CrossEntropy(n.num(-100), size("S")), f("B", 10), i("B")),
    takes(MeanError("mse"), f("B", 3), f("B", 3), gives=(f32(),)),
    refuses("T010", MeanError("huber"), f("B"), f("B")),
    refuses("T003", MeanError("mae"), f("B", 3), f("B", 4)),
)

RMS = RmsNorm(EPS, ZERO)
NORM: tuple[Case, ...] = (
    takes(LayerNorm(EPS), f("B", "S", 8), f(8), f(8), gives=(f("B", "S", 8),)),
    takes(LayerNorm(EPS), f("B", "S"), gives=(f("B", "S"),)),
    refuses("T007", LayerNorm(EPS), i("B", 8)),
    refuses("T002", LayerNorm(EPS), f()),
    refuses("T001", LayerNorm(EPS), f("B", 8), f(9)),
    refuses("T005", LayerNorm(EPS), f("B", 8), f(8, 8)),
    takes(RMS, f("B", 8), f(8), gives=(f("B", 8),)),
    refuses("T010", replace(RMS, cast="never"), f("B", 8)),
    refuses("T001", RMS, f("B", 8), f(4)),
    takes(GroupNorm(TWO, EPS), f("B", 8, "H", "W"), f(8), None, gives=(f("B", 8, "H", "W"),)),
    refuses("T005", GroupNorm(TWO, EPS), f(8)),
    refuses("T008", GroupNorm(n.num(3), EPS), f("B", 8)),
    refuses("T012", GroupNorm(ZERO, EPS), f("B", 8)),
    takes(BatchNorm(EPS, n.num(0.1)), f("B", 8, "H"), f(8), f(8), i(), f(8), f(8), gives=(f("B", 8, "H"),)),
    refuses("T005", BatchNorm(EPS, n.num(0.1)), f(8), f(8), f(8), i()),
    refuses("T005", BatchNorm(EPS, n.num(0.1)), f("B", 8), f(8), f(8), i(8)),
    refuses("T006", BatchNorm(EPS, n.num(0.1)), f("B", 8), f(8), f(8), f()),
    refuses("T001", BatchNorm(EPS, n.num(0.1)), f("B", 8), f(8), f(9), i()),
)

CONV = Conv(sizes(2), ((ONE, ONE),), sizes(1), ONE)
UP = ConvTranspose(sizes(2), sizes(1), sizes(1), sizes(1), ONE)
FLAT = Conv(sizes(1, 1), ((ZERO, ZERO), (ZERO, ZERO)), sizes(1, 1), ONE)
CONTRACT: tuple[Case, ...] = (
    takes(Linear(), f("B", "S", 8), f(4, 8), f(4), gives=(f("B", "S", 4),)),
    refuses("T007", Linear(), i("B", 8), f(4, 8)),
    refuses("T005", Linear(), f("B", 8), f(4, 8, 1)),
    refuses("T005", Linear(), f(), f(4, 8)),
    refuses("T005", Linear(), f("B", 8), f(4, 8), f()),
    refuses("T001", Linear(), f("B", 8), f(8, 4)),
    refuses("T001", Linear(), f("B", 8), f(4, 8), f(8)),
    refuses("T013", Linear(), f("B", 8)),
    refuses("T013", Linear(), f("B", 8), None),
    takes(Matmul(), f("B", 2, "S", 8), f(8, 3), gives=(f("B", 2, "S", 3),)),
    takes(Matmul(), f("S", 8), f32(8, 3), gives=(f32("S", 3),)),
    refuses("T005", Matmul(), f(8), f(8, 3)),
    refuses("T001", Matmul(), f("S", 8), f(3, 8)),
    refuses("T003", Matmul(), f(2, "S", 8), f(3, 8, 1)),
    takes(Einsum("bqd, bkd -> bqk"), f("B", "Q", 8), f("B", "K", 8), gives=(f("B", "Q", "K"),)),
    refuses("T009", Einsum("ij,jk"), f(2, 3), f(3, 4)),
    refuses("T009", Einsum("ij->ij"), f(2, 3), f(3, 4)),
    refuses("T009", Einsum("ij->i"), f(2, 3, 4)),
    refuses("T009", Einsum("i1->i"), f(2, 3)),
    refuses("T009", Einsum("ij->ik"), f(2, 3)),
    refuses("T009", Einsum("ij->ii"), f(2, 3)),
    refuses("T001", Einsum("ij,jk->ik"), f(2, 3), f(4, 5)),
    takes(CONV, f("B", 3, "L"), f(6, 3, 3), f(6), gives=(f("B", 6, "(L - 1) // 2 + 1"),)),
    takes(CONV, f("B", 3, 8), f(6, 3, 3), gives=(f("B", 6, 4),)),
    takes(FLAT, f("B", 3, "H", "W"), f(6, 3, 1, 3), gives=(f("B", 6, "H", "W - 2"),)),
    takes(replace(CONV, groups=n.num(3)), f("B", 3, 8), f(6, 1, 3), gives=(f("B", 6, 4),)),
    refuses("T007", CONV, i("B", 3, 8), f(6, 3, 3)),
    refuses("T005", CONV, f("B", 3), f(6, 3)),
    refuses("T005", CONV, f("B", 3, 8, 8), f(6, 3, 3)),
    refuses("T013", FLAT, f("B", 3, 8), f(6, 3, 3)),
    refuses("T001", CONV, f("B", 4, 8), f(6, 3, 3)),
    refuses("T001", CONV, f("B", 3, 8), f(6, 3, 3), f(3)),
    refuses("T008", replace(CONV, groups=n.num(4)), f("B", 12, 8), f(6, 3, 3)),
    refuses("T004", CONV, f("B", 3, 2), f(6, 3, 7)),
    refuses("T012", replace(CONV, stride=sizes(0)), f("B", 3, 8), f(6, 3, 3)),
    refuses("T014", replace(CONV, dilation=sizes("S")), f("B", 3, 8), f(6, 3, 3)),
    takes(UP, f("B", 6, "L"), f(6, 3, 3), gives=(f("B", 3, "2 * L"),)),
    takes(replace(UP, groups=TWO), f("B", 6, 4), f(6, 3, 3), f(6), gives=(f("B", 6, 8),)),
    refuses("T001", UP, f("B", 3, 8), f(6, 3, 3)),
    refuses("T008", replace(UP, groups=n.num(4)), f("B", 6, 8), f(6, 3, 3)),
    refuses("T001", UP, f("B", 6, 8), f(6, 3, 3), f(6)),
    refuses("T012", replace(UP, stride=sizes(0)), f("B", 6, 8), f(6, 3, 3)),
    refuses("T012", replace(UP, padding=sizes(0.5)), f("B", 6, 8), f(6, 3, 3)),
)

SPATIAL: tuple[Case, ...] = (
    takes(Pool("max", sizes(3), sizes(2), sizes(1)), f("B", 3, 8), gives=(f("B", 3, 4),)),
    takes(Pool("mean", sizes(2), sizes(2), sizes(0)), f("B", 3, "L"), gives=(f("B", 3, "(L - 2) // 2 + 1"),)),
    refuses("T010", Pool("median", sizes(3), sizes(2), sizes(1)), f("B", 3, 8)),
    refuses("T005", Pool("max", sizes(3), sizes(2), sizes(1)), f("B", 3, 8, 8)),
    refuses("T013", Pool("max", sizes(3, 3), sizes(2), sizes(1)), f("B", 3, 8, 8)),
    refuses("T004", Pool("max", sizes(9), sizes(1), sizes(0)), f("B", 3, 8)),
    refuses("T012", Pool("max", sizes(3), sizes(0), sizes(0)), f("B", 3, 8)),
    takes(Resample(TWO), f("B", 3, 4, "W"), gives=(f("B", 3, 8, "2 * W"),)),
    refuses("T010", Resample(TWO, "cubic"), f("B", 3, 4)),
    refuses("T005", Resample(TWO), f("B", 3)),
    refuses("T014", Resample(n.num(1.5)), f("B", 3, "W")),
)

STATE: tuple[Case, ...] = (
    takes(Append("kv", 1, size("past")), f("B", "S", 8), gives=(f("B", "past + S", 8),)),
    takes(Append("kv", -1, size("past")), f("B", "S"), i("S"), gives=(f("B", "past + S"), i("past + S"))),
    refuses("T002", Append("kv", 2, size("past")), f("B", "S")),
    takes(Hold("kv"), f("B", "S"), i("B"), gives=(f("B", "S"), i("B"))),
    refuses("T001", Hold("kv"), f("B"), f("S")),
    refuses("T002", Hold("kv"), f("B"), f()),
    takes(Recall("h"), f("B", 8), gives=(f("B", 8),)),
    refuses("T013", Recall("h"), None),
    takes(Keep("h", size("S")), f("B", 8), gives=()),
    refuses("T013", Keep("h", size("S")), f("B", 8), f("B", 8)),
)

WIDE_STATE = f("B", "S", 8, 4)
RECURRENCE: tuple[Case, ...] = (
    takes(Scan(1), f("B", "S", 8), f("B", "S", 8), gives=(f("B", "S", 8), f("B", 8))),
    takes(Scan(-2), f(8), f32("B", "S", 8), None, gives=(f32("B", "S", 8), f32("B", 8))),
    takes(Scan(1), f("B", "S", 8, 1), f("S", 1, 4), f("B", 8, 4), gives=(WIDE_STATE, f("B", 8, 4))),
    refuses("T002", Scan(3), f("B", "S", 8), f("B", "S", 8)),
    refuses("T003", Scan(1), f("B", "S", 8), f("B", "T", 8)),
    refuses("T007", Scan(1), f("B", "S"), i("B", "S")),
    refuses("T005", Scan(1), f("B", "S", 8), f("B", "S", 8), f(8)),
    refuses("T001", Scan(1), f("B", "S", 8), f("B", "S", 8), f(1, 8)),
)


def attention(
    mask: str | None = None, operands: tuple[str, ...] = (), score: str | None = None, **names: Num
) -> Attention:
    rules = [parse(rule) if rule else None for rule in (mask, score)]
    return Attention(n.num(0.5), rules[0], ZERO, operands, tuple(names.items()), None, ZERO, rules[1])


def scored(score: str, *operands: str, **names: Num) -> Attention:
    return attention(None, operands, score, **names)


Q, K, V = f("B", 4, "S", 8), f("B", 2, "T", 8), f("B", 2, "T", 6)
PADDED = attention("k <= q and keep[b, k] and q - k < w", ("keep",), w=n.num(512))
FAR = scored("t[h, min(max(k - q, -far), far) + far]", "t", far=n.num(3))
ROPE = (f32("S", 4), f32("S", 4))
ATTENTION: tuple[Case, ...] = (
    takes(attention(), Q, K, V, gives=(f("B", 4, "S", 6),)),
    takes(attention(), Q, K, V, f(4, "S", "T"), gives=(f("B", 4, "S", 6),)),
    takes(PADDED, Q, K, V, None, None, i("B", "T"), gives=(f("B", 4, "S", 6),)),
    takes(PADDED, Q, K, V, None, f(4), i("B", "T"), gives=(f("B", 4, "S", 6),)),
    refuses("T001", attention(), Q, K, V, None, f(2)),
    refuses("T005", attention(), Q, K, V, None, f("B", 4)),
    refuses("T005", attention(), f("B", "S", 8), K, V),
    refuses("T005", attention(), Q, i("B", 2, "T", 8), V),
    refuses("T001", attention(), Q, f("S", 2, "T", 8), V),
    refuses("T001", attention(), Q, f("B", 2, "T", 9), V),
    refuses("T001", attention(), Q, K, f("B", 2, "S", 6)),
    refuses("T001", attention(), Q, f("B", 4, "T", 8), V),
    refuses("T008", attention(), f("B", 3, "S", 8), K, V),
    refuses("T014", attention(), Q, f("B", "G", "T", 8), f("B", "G", "T", 8)),
    refuses("T003", attention(), Q, K, V, f(3, "S", "T")),
    refuses("T003", attention(), f("B", 4, 1, 8), K, V, f("S", "T")),
    refuses("T003", attention(), Q, K, V, f(1, 1, 1, 1, 1)),
    refuses("T011", replace(attention(), dropout=ONE), Q, K, V),
    refuses("T013", PADDED, Q, K, V, None, None),
    refuses("T013", PADDED, Q, K, V, None, None, None),
    refuses("T015", attention("q - k < window"), Q, K, V),
    takes(scored("-0.5 * abs(q - k) / (1 + q)"), Q, K, V, gives=(f("B", 4, "S", 6),)),
    takes(
        scored("s[h] * at[b, k]", "s", "at"),
        Q,
        K,
        V,
        None,
        None,
        f32(4),
        i("B", "T"),
        gives=(f("B", 4, "S", 6),),
    ),
    takes(FAR, Q, K, V, None, None, f(4, 7), gives=(f("B", 4, "S", 6),)),
    refuses("T001", FAR, Q, K, V, None, None, f(2, 7)),
    refuses("T006", scored("t[h, k / 2]", "t"), Q, K, V, None, None, f(4, 7)),
    refuses("T006", scored("t[c]", "t", c=n.num(0.5)), Q, K, V, None, None, f(4)),
    refuses("T007", scored("t[b, k]", "t"), Q, K, V, None, None, TensorType("bool", sizes("B", "T"))),
    refuses("T010", scored("k <= q"), Q, K, V),
    refuses("T010", scored("sin(q - k)"), Q, K, V),
    refuses("T010", scored("true"), Q, K, V),
    refuses("T010", scored("min(q)"), Q, K, V),
    refuses("T010", scored("abs(q, k)"), Q, K, V),
    refuses("T013", scored("t[h]", "t"), Q, K, V, None, None, f(4, 7)),
    refuses("T013", scored("t * q", "t"), Q, K, V, None, None, f(4)),
    refuses("T015", scored("c * q"), Q, K, V),
    refuses("T015", scored("t[h]"), Q, K, V),
    takes(RopeFrequencies(n.num(8), n.num(1e4)), gives=(f32(4),)),
    refuses("T008", RopeFrequencies(n.num(7), n.num(1e4))),
    refuses("T012", RopeFrequencies(n.num(2.5), n.num(1e4))),
    refuses("T014", RopeFrequencies(size("S"), n.num(1e4))),
    takes(RopeTable(), i("B", "S"), f32(4), gives=(f32("B", "S", 4), f32("B", "S", 4))),
    takes(RopeTable(n.num(1.5)), i("S"), f(4), gives=(f32("S", 4), f32("S", 4))),
    takes(RopeTable(), f("B", "S", 4), gives=(f32("B", "S", 4), f32("B", "S", 4))),
    refuses("T005", RopeTable(), f(4)),
    refuses("T005", RopeTable(), i("S", 4)),
    refuses("T005", RopeTable(), i("S"), f32("S", 4)),
    refuses("T005", RopeTable(), i("S"), i(4)),
    takes(Rope(), Q, *ROPE, gives=(Q,)),
    takes(Rope("interleaved"), Q, f32("B", "S", 2), f32("B", "S", 2), gives=(Q,)),
    refuses("T010", Rope("pairs"), Q, *ROPE),
    refuses("T005", Rope(), f("B", "S", 8), *ROPE),
    refuses("T005", Rope(), Q, f32(4), f32(4)),
    refuses("T005", Rope(), Q, f32("S", 4), f32("S", 3)),
    refuses("T001", Rope(), Q, f32("T", 4), f32("T", 4)),
    refuses("T004", Rope(), Q, f32("S", 5), f32("S", 5)),
)

LARGE = (*LOSS, *NORM, *CONTRACT, *SPATIAL, *STATE, *RECURRENCE, *ATTENTION)
