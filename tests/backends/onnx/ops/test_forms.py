"""How a rule says its operation: which operators, how exactly, and what it refuses."""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest
import torch
import torch.nn.functional as F

from archspec.backends.onnx.emit import Emitter
from archspec.backends.onnx.interface import Interface
from archspec.backends.onnx.profile import Profile
from archspec.dims import num as n
from archspec.errors import Source, Span, UnsupportedError
from archspec.ir.op import Op
from archspec.ir.ops.contract import Conv, Einsum, Linear
from archspec.ir.ops.elementwise import Arith, Map, Scalar
from archspec.ir.ops.loss import MeanError
from archspec.ir.ops.norm import GroupNorm, LayerNorm, RmsNorm
from archspec.ir.ops.reduce import ArgReduce, TopK
from archspec.ir.ops.shape import Permute, Reshape, Roll
from archspec.ir.ops.source import Random
from archspec.ir.ops.spatial import Pool, Resample
from archspec.ir.types import TensorType
from tests.backends.onnx.ops.harness import Array, chained, graph_of, model_of, run, run_graph
from tests.backends.torch.ops.harness import B, S, dims, f

STANDARD, PORTABLE, HALF = Profile(), Profile("portable"), Profile(dtype="float16")
SIZES = {"B": 2, "S": 5}


def kinds(op: Op, *types: TensorType | None, profile: Profile = STANDARD) -> list[str]:
    """The operators of the model, but for what passes the sizes on."""
    nodes = (node for node in model_of(op, types, profile).graph if node.outputs[0].name != "seen")
    return [node.op_type for node in nodes]


def alone(op: Op, *arrays: Array, profile: Profile = STANDARD) -> Array:
    """The first result on arrays of just these sizes; floats are the model's."""
    types = [TensorType("float" if x.dtype.kind == "f" else x.dtype.name, dims(*x.shape)) for x in arrays]
    return run(op, types, arrays, SIZES, profile)[0]


X = f(B, S, 6).type
CHANNELS = f(B, 8, 3, 2).type


@pytest.mark.parametrize(
    ("op", "types", "wanted"),
    [
        (Map("gelu"), (X,), ["Gelu"]),
        (Map("gelu_tanh"), (X,), ["Gelu"]),
        (Map("silu"), (X,), ["Sigmoid", "Mul"]),  # ONNX Runtime fuses just this
        (Map("quick_gelu"), (X,), ["Mul", "Sigmoid", "Mul"]),  # and this
        (LayerNorm(n.num(1e-5)), (X, None, None), ["LayerNormalization"]),
        (RmsNorm(n.num(1e-5), n.num(0)), (X, f(6).type), ["RMSNormalization"]),
        (RmsNorm(n.num(1e-5), n.num(1)), (X, f(6).type), ["Add", "RMSNormalization"]),
        (GroupNorm(n.num(8), n.num(1e-5)), (CHANNELS, f(8).type), ["InstanceNormalization"]),
        (Linear(), (X, f(4, 6).type, f(4).type), ["Transpose", "MatMul", "Add"]),
        (Einsum("bsd,de->bse"), (X, f(6, 3).type), ["MatMul"]),
        (Einsum("bhqe,rhe->bhqr"), (f(B, 3, S, 4).type, f(7, 3, 4).type), ["Transpose", "MatMul"]),
        (Einsum("bsij,bsji->bs"), (f(B, S, 2, 3).type, f(B, S, 3, 2).type), None),
        (Reshape((B, S, n.num(2), n.num(3))), (X,), ["Reshape"]),  # its sizes are not computed
        (Permute((0, 1, 2)), (X,), ["Identity"]),  # as an output must be another value than an input
        (Scalar("pow", n.num(-0.5)), (X,), ["Sqrt", "Reciprocal"]),
        (Scalar("pow", n.num(2)), (X,), ["Pow"]),
    ],
    ids=lambda x: x.name if isinstance(x, Op) else "",
)
def test_an_operation_is_said_in_few_operators(op: Op, types: Any, wanted: list[str] | None):
    found = kinds(op, *types)
    assert "Einsum" not in found
    assert wanted is None or found == wanted


@pytest.mark.parametrize("repeated", ["ii->i", "bii,bi->b"])
def test_a_diagonal_is_left_to_einsum(repeated: str):
    square, vector = np.arange(9.0, dtype=np.float32).reshape(3, 3), np.ones((2, 3), np.float32)
    given = [square] if repeated == "ii->i" else [np.stack([square, -square]), vector]
    np.testing.assert_allclose(alone(Einsum(repeated), *given), np.einsum(repeated, *given))


@pytest.mark.parametrize(
    "equation",
    [
        "bqhd,bkhd->bhqk", "bhqk,bkhd->bqhd", "bsd,dhe->bshe", "bshd,hde->bse", "nahwd,hkd->nahwk",
        "nahwd,wkd->nahwk", "bshkv,bshk->bshv", "ij,jk,kl->il", "ab,cd->", "ab,cd->dbca", "abc,b->ca",
        "ab->ba", "abc->b", "i,j,ij->i",
    ],
)  # fmt: skip
def test_einsum_is_taken_apart_exactly(equation: str):
    sizes = dict(zip("abcdehijklnqrsvw", (2, 3, 2, 4, 3, 2, 3, 4, 5, 2, 2, 3, 2, 3, 2, 4), strict=True))
    draw = np.random.default_rng(0)
    terms = equation.partition("->")[0].split(",")
    given = [draw.normal(size=[sizes[c] for c in term]).astype(np.float32) for term in terms]
    np.testing.assert_allclose(alone(Einsum(equation), *given), np.einsum(equation, *given), atol=1e-5)


EXTREMES = np.array([-90, -20, -3, -1e-3, -1e-7, 0, 1e-7, 1e-3, 3, 20, 80, 90], np.float32)
EXACT: dict[str, Callable[[Array], Array]] = {
    "expm1": np.expm1,
    "log1p": np.log1p,
    "softplus": lambda x: np.logaddexp(x, 0),
    "mish": lambda x: x * np.tanh(np.logaddexp(x, 0)),
    "gelu_tanh": lambda x: np.asarray(F.gelu(torch.from_numpy(x), approximate="tanh")),
}


@pytest.mark.parametrize("profile", [STANDARD, PORTABLE], ids=lambda p: p.name)
@pytest.mark.parametrize("fn", EXACT)
def test_a_function_in_several_steps_is_exact_where_they_cancel(fn: str, profile: Profile):
    x = EXTREMES[:-1] if fn != "log1p" else EXTREMES[3:]
    found = alone(Map(fn), x, profile=profile)
    floor = 3e-7 if fn == "gelu_tanh" else 1e-30  # ONNX Runtime's sigmoid is never below 1.5e-8
    np.testing.assert_allclose(found, EXACT[fn](x.astype(np.float64)), rtol=2e-6, atol=floor * 90)


@pytest.mark.parametrize("fn", ["expm1", "softplus", "mish", "log1p"])
def test_below_fp32_several_steps_round_once(fn: str):
    x = np.random.default_rng(0).uniform(0, 9, 500).astype(np.float16)
    exact = EXACT[fn](x.astype(np.float64)).astype(np.float16)
    np.testing.assert_array_max_ulp(alone(Map(fn), x, profile=HALF), exact, maxulp=1)


A = np.array([7, -7, 7, -7, 6, -6, 0], np.int64)
D = np.array([2, 2, -2, -2, 3, -3, 5], np.int64)


@pytest.mark.parametrize("fn", ["floordiv", "mod"])
@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.int8, np.float32])
def test_quotients_round_toward_minus_infinity(fn: str, dtype: Any):
    a, d = A.astype(dtype), D.astype(dtype)
    wanted = (np.floor_divide if fn == "floordiv" else np.mod)(a, d)
    np.testing.assert_array_equal(alone(Arith(fn), a, d), wanted)


def test_a_quotient_of_floats_is_that_of_the_remainder():
    """1 / 0.1 rounds to 10, but 0.1 is more than a tenth."""
    a, d = np.array([1.0, -1.0, 0.3], np.float32), np.array([0.1, 0.1, 0.1], np.float32)
    wanted = torch.from_numpy(a) // torch.from_numpy(d)
    np.testing.assert_array_equal(alone(Arith("floordiv"), a, d), wanted.numpy())


def test_the_first_of_equals_is_found():
    x = np.array([[3.0, 1, 3, 1]], np.float32)
    assert alone(ArgReduce("max", 1), x) == 0
    assert alone(ArgReduce("min", 1), x) == 1
    whole = np.array([[2**62, 2**62 + 1]])
    assert alone(ArgReduce("max", 1), whole) == 1  # no way through floats


def test_the_largest_come_first():
    x = np.random.default_rng(0).normal(size=(3, 50)).astype(np.float32)
    np.testing.assert_array_equal(alone(TopK(n.num(7)), x), -np.sort(-x, -1)[:, :7])


@pytest.mark.parametrize("length", [1, 3, 5])
@pytest.mark.parametrize("shift", [0, 2, -2, 7, -11])
def test_what_is_rolled_may_be_shorter_than_the_shift(shift: int, length: int):
    x = np.arange(2.0 * length, dtype=np.float32).reshape(2, length)
    (found,) = run(Roll(1, n.num(shift)), [f(B, S).type], [x], {"B": 2, "S": length}, STANDARD)
    np.testing.assert_array_equal(found, np.roll(x, shift, 1))


@pytest.mark.parametrize("offset", [0, 1])
@pytest.mark.parametrize("cast", ["before", "after"])
@pytest.mark.parametrize("name", ["standard", "portable"])
def test_rms_norm_leaves_fp32_where_it_says(cast: str, offset: int, name: str):
    draw = np.random.default_rng(0)
    x, weight = draw.normal(size=(64, 32)).astype(np.float16), draw.normal(size=32).astype(np.float16)
    wide = x.astype(np.float32)
    normed = wide / np.sqrt((wide**2).mean(-1, keepdims=True) + 1e-3)
    after = (normed * (weight.astype(np.float32) + offset)).astype(np.float16)
    before = normed.astype(np.float16) * (weight + np.float16(offset))
    op = RmsNorm(n.num(1e-3), n.num(offset), cast)
    found = alone(op, x, weight, profile=Profile(name, "float16"))
    if cast == "after":
        assert (found != after).mean() < 0.02  # the sum is in another order
        assert (found != before).mean() > 0.1
    else:  # where the runtime fuses it, it rounds once less
        np.testing.assert_allclose(found, before, rtol=2e-3)


@pytest.mark.parametrize("fn", ["max", "mean"])
def test_a_pool_may_be_padded_by_more_than_its_window(fn: str):
    x = np.random.default_rng(0).normal(size=(1, 2, 4)).astype(np.float32)
    wide = np.pad(x, ((0, 0), (0, 0), (2, 2)), constant_values=-np.inf if fn == "max" else 0)
    wanted = np.stack([wide[..., i : i + 2] for i in range(7)], -2)
    found = alone(Pool(fn, dims(2), dims(1), dims(2)), x)
    least = np.finfo(np.float32).min  # what ONNX Runtime begins with
    folded = np.maximum(wanted.max(-1), least) if fn == "max" else wanted.mean(-1)
    np.testing.assert_allclose(found, folded, atol=1e-6)


@pytest.mark.parametrize(("mode", "torchs"), [("nearest", "nearest"), ("linear", "bilinear")])
@pytest.mark.parametrize("scale", [2.0, 1.5, 0.5])
def test_resampling_is_torchs(mode: str, torchs: str, scale: float):
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 6)).astype(np.float32)
    wanted = F.interpolate(torch.from_numpy(x), scale_factor=scale, mode=torchs)
    np.testing.assert_allclose(alone(Resample(n.num(scale), mode), x), wanted.numpy(), atol=1e-6)


def test_a_convolution_over_a_sequence_takes_computed_weights():
    draw = np.random.default_rng(0)
    x, weight = (draw.normal(size=shape).astype(np.float32) for shape in ((2, 4, 9), (6, 2, 3)))
    op = Conv(dims(2), ((n.num(2), n.num(0)),), dims(2), n.num(2))
    padded = F.pad(torch.from_numpy(x), (2, 0))
    wanted = F.conv1d(padded, torch.from_numpy(weight), stride=2, dilation=2, groups=2)
    np.testing.assert_allclose(alone(op, x, weight), wanted.numpy(), atol=1e-5)


def test_heads_first_is_not_taken_for_heads_last():
    """[B, S, H * E] parted, swapped and joined again where it lies is not what it was."""
    x = np.arange(2 * 5 * 6, dtype=np.float32).reshape(2, 5, 6)
    parted, joined = Reshape((B, S, n.num(2), n.num(3))), Reshape((B, n.num(2), S * 3))
    (found,) = run_graph(chained(X, parted, Permute((0, 2, 1, 3)), joined), {"x0": x}, SIZES, STANDARD)
    np.testing.assert_array_equal(found, x.reshape(2, 5, 2, 3).swapaxes(1, 2).reshape(2, 2, 15))


def test_heads_that_are_swapped_back_cost_nothing():
    parted, back, joined = (
        Reshape((B, S, n.num(2), n.num(3))),
        Permute((0, 2, 1, 3)),
        Reshape((B, S, n.num(6))),
    )
    x = np.arange(2 * 5 * 6, dtype=np.float32).reshape(2, 5, 6)
    (found,) = run_graph(chained(X, parted, back, back, joined), {"x0": x}, SIZES, STANDARD)
    np.testing.assert_array_equal(found, x)


@pytest.mark.parametrize(("kind", "mean", "std"), [("normal", 0.0, 1.0), ("uniform", 0.5, 12**-0.5)])
def test_random_draws_its_distribution(kind: str, mean: float, std: float):
    (x,) = run(Random(dims(50_000), kind), [], [], SIZES, PORTABLE)
    assert x.mean() == pytest.approx(mean, abs=0.02)
    assert x.std() == pytest.approx(std, abs=0.02)


def test_two_draws_are_two():
    draw = Random(dims(4))
    (difference,) = run_graph(chained(None, draw, draw, Arith("sub")), {}, SIZES, PORTABLE)
    assert np.abs(difference).min() > 0


@pytest.mark.parametrize(
    ("op", "types", "reason"),
    [
        (Random(dims(4)), (), "draws no random numbers in opset 23"),
        (MeanError("mse"), (X, X), "the exported graph is for inference"),
    ],
)
def test_what_it_does_not_compute_is_refused_where_it_stands(op: Op, types: Any, reason: str):
    span = Span(Source("model.yaml", ""), 3, 5, 3, 9)
    emitter = Emitter(graph_of(op, types, span), STANDARD, Interface(), lambda path, param: ir.tensor(0))
    with pytest.raises(UnsupportedError, match=reason) as caught:
        emitter.model()
    (finding,) = caught.value.diagnostics
    assert (finding.code, finding.span) == ("U004", span)
