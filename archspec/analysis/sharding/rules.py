"""For each operation, which axes of its operands and results are one dimension, and which it needs whole.

A rule tells `Dims` what it knows and returns the axes that the operation sums over. Rules hold for classes of
operations, never for models: Megatron's placement (Shoeybi et al. 2019, arXiv:1909.08053) comes out of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

from archspec.analysis.sharding import alike
from archspec.analysis.sharding import rules_computing as computing
from archspec.analysis.sharding import rules_moving as moving
from archspec.analysis.sharding.alike import Operands, Results
from archspec.analysis.sharding.dims import Dims
from archspec.ir.op import Op
from archspec.ir.ops import attention, contract, loss, norm, recurrence, reduce, source, spatial, state
from archspec.ir.ops import elementwise as e
from archspec.ir.ops import shape as s

Rule: TypeAlias = Callable[[Any, Operands, Results, Dims], Iterable[int]]


def apply_rule(op: Op, inputs: Operands, outputs: Results, dims: Dims) -> tuple[int, ...]:
    """Joins the axes of one operation; the axes that it sums over. Every operation has a rule."""
    return tuple(RULES[type(op)](op, inputs, outputs, dims))


def _rules(*pairs: tuple[Sequence[type[Op]], Rule]) -> dict[type[Op], Rule]:
    return {kind: rule for kinds, rule in pairs for kind in kinds}


RULES: dict[type[Op], Rule] = _rules(
    ((e.Map, e.Arith, e.Scalar, e.Where, e.Clamp, e.Dropout, e.StopGradient), alike.elementwise),
    ((e.Compare, e.CompareScalar, e.Logic, s.Expand, source.Cast, source.Otherwise), alike.elementwise),
    ((contract.Linear,), computing.linear),
    ((contract.Matmul,), computing.matmul),
    ((contract.Einsum,), computing.einsum),
    ((contract.Conv, contract.ConvTranspose), computing.conv),
    ((norm.LayerNorm, norm.RmsNorm, norm.GroupNorm), computing.norm),
    ((norm.BatchNorm,), computing.batchnorm),
    ((reduce.Softmax, reduce.Cumulate, s.Pad, s.Flip, s.Roll), alike.along),
    ((reduce.TopK, attention.Rope), alike.last),
    ((reduce.LogSumExp, reduce.ArgReduce), computing.fold),
    ((reduce.Reduce,), computing.reduce),
    ((s.Reshape,), moving.reshape),
    ((s.Permute,), moving.permute),
    ((s.Slice,), moving.slice_),
    ((s.Concat, s.Split), moving.pieces),
    ((s.Gather,), moving.gather),
    ((s.Take, s.Scatter), moving.take),
    ((recurrence.Scan,), computing.scan),
    ((attention.Attention,), computing.attention),
    ((attention.RopeTable, attention.RopeFrequencies), computing.free),
    ((source.Iota, source.Full, source.Random), computing.free),
    ((loss.CrossEntropy,), computing.cross_entropy),
    ((loss.MeanError,), computing.error),
    ((state.Append,), moving.grown),
    ((state.Hold, state.Recall, state.Keep), moving.kept),
    ((spatial.Pool, spatial.Resample), computing.grid),
)
