"""Every rule, run: shape and dtype as the operation infers them, values as an independent reference says."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from archspec.backends.base import Lowered
from archspec.backends.torch.ops import RULES
from archspec.ir.op import REGISTRY
from archspec.ir.types import TensorType
from tests.backends.torch.ops.cases import CASES
from tests.backends.torch.ops.harness import (
    MODELS,
    Case,
    array,
    concrete,
    run,
    tensor,
    torch_dtype,
)  # fmt: skip

TOLERANCE = {torch.float32: 2e-5, torch.float16: 4e-3, torch.bfloat16: 3e-2}


def tensors(checked: Case, model: torch.dtype) -> list[Tensor | None]:
    return [o and tensor(o, model, seed) for seed, o in enumerate(checked.operands)]


def inferred(checked: Case) -> tuple[TensorType, ...]:
    return checked.op.infer(*(o and o.type for o in checked.operands))


def results(checked: Case, value: Any) -> list[Tensor]:
    several = len(inferred(checked)) > 1
    assert isinstance(value, tuple) == several
    return [*value] if several else [value]


@pytest.mark.parametrize("loose", [False, True], ids=["names", "expressions"])
@pytest.mark.parametrize("model", MODELS, ids=["float32", "bfloat16"])
@pytest.mark.parametrize("checked", CASES, ids=str)
def test_a_rule_gives_the_inferred_type_and_the_references_value(
    checked: Case, model: torch.dtype, loose: bool
):
    operands = tensors(checked, model)
    found = results(checked, run(checked, operands, model, loose))
    types = inferred(checked)
    assert [tuple(x.shape) for x in found] == [concrete(t.shape) for t in types]
    assert [x.dtype for x in found] == [torch_dtype(t.dtype, model) for t in types]
    if checked.reference is None:
        return
    expected: Any = checked.reference(*(None if x is None else array(x) for x in operands))
    wanted = expected if len(found) > 1 or isinstance(expected, list) else [expected]
    loosest = max((TOLERANCE.get(x.dtype, 0) for x in (*found, *operands) if x is not None), default=0)
    for x, y in zip(found, wanted, strict=True):
        tolerance = loosest if x.is_floating_point() else 0
        np.testing.assert_allclose(array(x), y, rtol=tolerance, atol=tolerance)


def test_every_operation_with_a_rule_has_cases():
    lowered = {name for name, op in REGISTRY.items() if isinstance(RULES.verdict(op), Lowered)}
    assert {checked.op.name for checked in CASES} == set(REGISTRY) - lowered
