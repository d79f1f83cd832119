"""What a rule does beyond one value: training, where fp32 ends, dtypes of the model, distributions."""

from itertools import product
from typing import Any

import pytest
import torch
from torch import Tensor

from archspec.backends.torch.code import Code
from archspec.backends.torch.ops.dtypes import promoted
from archspec.dims import num as n
from archspec.ir.op import Op
from archspec.ir.ops.attention import Rope
from archspec.ir.ops.elementwise import Dropout
from archspec.ir.ops.norm import BatchNorm, RmsNorm
from archspec.ir.ops.source import Random
from archspec.ir.types import TensorType, promote
from tests.backends.torch.ops.harness import Operand, dims, f, i, namespace, torch_dtype, written


def evaluate(op: Op, operands: tuple[Operand, ...], *tensors: Tensor, training: bool = False) -> Any:
    args: list[Code | None] = [Code(f"x{k}") for k in range(len(tensors))]
    code, place = written(op, tuple(o.type for o in operands), args)
    model = tensors[0].dtype if tensors else torch.float32
    names = namespace(place.required, model, training)
    return eval(code.text, names | {f"x{k}": x for k, x in enumerate(tensors)})


def test_dropout_zeroes_and_rescales_in_training_only():
    x, op = torch.ones(100_000), Dropout(n.num(0.25))
    y = evaluate(op, (f(100_000),), x, training=True)
    torch.testing.assert_close(y.unique(), torch.tensor([0, 4 / 3]))
    assert (y == 0).float().mean().item() == pytest.approx(0.25, abs=0.01)
    assert evaluate(op, (f(100_000),), x).equal(x)


def test_batch_norm_trains_as_torchs_module_does():
    reference = torch.nn.BatchNorm1d(3, eps=1e-3, momentum=0.2)
    mean, var, batches = torch.zeros(3), torch.ones(3), torch.tensor(0)
    weight, bias = (p.detach() for p in (reference.weight, reference.bias))
    x = torch.randn(8, 3) * 2 + 1
    operands, given = (f(8, 3), f(3), f(3), i(9), f(3), f(3)), (x, mean, var, batches, weight, bias)
    y = evaluate(BatchNorm(n.num(1e-3), n.num(0.2)), operands, *given, training=True)
    torch.testing.assert_close(y, reference(x).detach(), rtol=0, atol=0)
    torch.testing.assert_close(mean, reference.running_mean, rtol=0, atol=0)
    torch.testing.assert_close(var, reference.running_var, rtol=0, atol=0)
    assert batches == reference.num_batches_tracked == 1


@pytest.mark.parametrize("offset", [0, 1])
@pytest.mark.parametrize("cast", ["before", "after"])
@pytest.mark.parametrize("model", [torch.bfloat16, torch.float16])
def test_rms_norm_leaves_fp32_where_it_says(cast: str, offset: int, model: torch.dtype):
    torch.manual_seed(0)
    x, weight = torch.randn(64, 32).to(model), torch.randn(32).to(model)
    normed = x.float() * torch.rsqrt(x.float().square().mean(-1, keepdim=True) + 1e-3)
    before = normed.to(model) * (weight + offset)
    after = (normed * (weight.float() + offset)).to(model)
    assert not before.equal(after)
    found = evaluate(RmsNorm(n.num(1e-3), n.num(offset), cast), (f(64, 32), f(32)), x, weight)
    assert found.equal(before if cast == "before" else after)


def test_rope_turns_in_fp32_below_it():
    torch.manual_seed(0)
    x = torch.randn(1, 2, 5, 8).bfloat16()
    angles = torch.randn(5, 4)
    cos, sin = angles.cos(), angles.sin()
    types = (f(1, 2, 5, 8), f(5, 4, dtype="float32"), f(5, 4, dtype="float32"))
    for layout in ("half", "interleaved"):
        exact = evaluate(Rope(layout), types, x.float(), cos, sin)
        assert evaluate(Rope(layout), types, x, cos, sin).equal(exact.bfloat16())


@pytest.mark.parametrize(("kind", "mean", "std"), [("normal", 0.0, 1.0), ("uniform", 0.5, 12**-0.5)])
def test_random_draws_its_distribution(kind: str, mean: float, std: float):
    torch.manual_seed(0)
    drawn = evaluate(Random(dims(100_000), kind), ())
    assert drawn.mean().item() == pytest.approx(mean, abs=0.02)
    assert drawn.std().item() == pytest.approx(std, abs=0.02)


BUILT_IN = (torch.float16, torch.bfloat16, torch.float32)
NAMES = ("bool", "uint8", "int8", "int32", "int64", "float16", "bfloat16", "float", "float32", "float64")


@pytest.mark.parametrize("left", NAMES)
def test_where_torch_promotes_otherwise_is_known(left: str):
    for right, left_axes, right_axes in product(NAMES, (0, 1), (0, 1)):
        types = [TensorType(t, dims(*[1] * k)) for t, k in ((left, left_axes), (right, right_axes))]
        want = promote(left, right)
        agree = all(torch_promotes(types, model) == torch_dtype(want, model) for model in BUILT_IN)
        assert promoted(want, *types) == (want if agree else None), types


def torch_promotes(types: list[TensorType], model: torch.dtype) -> torch.dtype:
    a, b = (torch.ones([1] * t.rank, dtype=torch_dtype(t.dtype, model)) for t in types)
    return torch.result_type(a, b)
