"""Every rule, run by ONNX Runtime: the inferred type, and values as the torch backend's references say."""

from typing import Any

import numpy as np
import pytest

from archspec.backends.base import Unsupported
from archspec.backends.onnx.ops import RULES
from archspec.backends.onnx.place import DTYPES
from archspec.backends.onnx.profile import Profile
from archspec.dims.num import Num
from archspec.ir.ops.contract import Linear
from archspec.ir.ops.norm import LayerNorm, RmsNorm
from archspec.ir.ops.reduce import Softmax
from archspec.ir.ops.source import Random
from archspec.ir.types import TensorType
from tests.backends.onnx.ops.harness import Array, concrete, drawn, model_of, numpy_dtype, run
from tests.backends.torch.ops.cases import CASES, FAMILIES, contract, elementwise, shape, source, spatial
from tests.backends.torch.ops.cases.reduce import reduce
from tests.backends.torch.ops.harness import SIZES, B, Case, b, f

TOLERANCE = {"float32": 2e-5, "float16": 4e-3}  # a few roundings of sums of some ten elements
PROFILES = (Profile(), Profile("portable"), Profile(dtype="float16"), Profile("portable", "float16"))
COMPUTED = [
    case for case in CASES if not isinstance(RULES.verdict(type(case.op)), Unsupported) and case.reference
]
OTHER = {"B": 3, "S": 8}
SINGLE = {"B": 1, "S": 1}
EMPTY = {"B": 0, "S": 5}


def types_of(checked: Case) -> list[TensorType | None]:
    return [operand and operand.type for operand in checked.operands]


def dtypes(checked: Case) -> set[str]:
    types = types_of(checked)
    return {type_.dtype for type_ in (*types, *checked.op.infer(*types)) if type_}


def arrays(checked: Case, sizes: dict[str, int], profile: Profile) -> list[Array | None]:
    return [
        None if o is None else drawn(o.type, o.low, o.high, sizes, profile, seed)
        for seed, o in enumerate(checked.operands)
    ]


def check(checked: Case, profile: Profile, sizes: dict[str, int]) -> None:
    types, given = types_of(checked), arrays(checked, sizes, profile)
    found = run(checked.op, types, given, sizes, profile)
    inferred = checked.op.infer(*types)
    assert [x.shape for x in found] == [concrete(t.shape, sizes) for t in inferred]
    assert [x.dtype for x in found] == [numpy_dtype(t.dtype, profile) for t in inferred]
    assert checked.reference is not None
    wide = (x if x is None or x.dtype.kind != "f" else x.astype(np.float64) for x in given)
    expected: Any = checked.reference(*wide)
    wanted = expected if len(found) > 1 or isinstance(expected, list) else [expected]
    kinds = {x.dtype.name for x in (*found, *given) if x is not None}
    loosest = max((TOLERANCE.get(kind, 0) for kind in kinds), default=0)
    for x, y in zip(found, wanted, strict=True):
        tolerance = loosest if x.dtype.kind == "f" else 0
        np.testing.assert_allclose(x.astype(np.float64), y, rtol=tolerance, atol=tolerance)


def on_a_cpu(checked: Case) -> bool:
    """ONNX Runtime computes nothing in bfloat16 on a CPU, and takes no such array."""
    return "bfloat16" not in dtypes(checked)


def profiles(checked: Case) -> list[Profile]:
    """Where there is no `float`, the graph is the same in any dtype."""
    return [p for p in PROFILES if p.dtype == "float32" or "float" in dtypes(checked)]


def shown(value: Case | Profile) -> str:
    return f"{value.name}-{value.dtype}" if isinstance(value, Profile) else str(value)


PAIRS = [(checked, profile) for checked in COMPUTED if on_a_cpu(checked) for profile in profiles(checked)]


@pytest.mark.parametrize(("checked", "profile"), PAIRS, ids=shown)
def test_a_rule_gives_the_inferred_type_and_the_references_value(checked: Case, profile: Profile):
    check(checked, profile, SIZES)


def sized(checked: Case) -> bool:
    """Whether the operation's sizes are known only at run time, and its reference holds at any size."""
    shapes = [size for type_ in types_of(checked) if type_ for size in type_.shape]
    numbers = [value for _, value in checked.op.attributes() if isinstance(value, Num)]
    free = any(not size.static for size in shapes) and all(value.static for value in numbers)
    return free and not any(checked in family.CASES for family in (source, shape))


def has_windows(checked: Case) -> bool:
    return any(checked in family.CASES for family in (contract, spatial))


SIZED = [checked for checked in COMPUTED if on_a_cpu(checked) and sized(checked)]


@pytest.mark.parametrize("profile", PROFILES[:2], ids=lambda p: p.name)
@pytest.mark.parametrize("checked", SIZED, ids=str)
def test_sizes_are_read_at_run_time(checked: Case, profile: Profile):
    check(checked, profile, OTHER)


@pytest.mark.parametrize("checked", [c for c in SIZED if not has_windows(c)], ids=str)
def test_sizes_may_be_one(checked: Case):
    check(checked, Profile(), SINGLE)


def row_by_row(checked: Case) -> bool:
    """What an expert may do with its rows, which may be none at all."""
    alone = isinstance(checked.op, Linear | LayerNorm | RmsNorm | Softmax)
    return alone or checked in elementwise.CASES


@pytest.mark.parametrize("checked", [c for c in SIZED if row_by_row(c)], ids=str)
def test_rows_may_be_none(checked: Case):
    check(checked, Profile(), EMPTY)


@pytest.mark.parametrize("fn", ["sum", "prod", "any", "all"])
def test_what_folds_nothing_gives_its_neutral_element(fn: str):
    x = reduce(fn, b(B, 3) if fn in ("any", "all") else f(B, 3), 0)
    check(x, Profile(), EMPTY)


@pytest.mark.parametrize("checked", COMPUTED, ids=str)
def test_in_bfloat16_it_is_a_valid_model(checked: Case):
    """For a GPU: ONNX Runtime has no such kernels on a CPU. The checker infers every dtype."""
    types, profile = types_of(checked), Profile(dtype="bfloat16")
    results = model_of(checked.op, types, profile).graph.outputs[:-1]
    wanted = [DTYPES["bfloat16" if t.dtype == "float" else t.dtype] for t in checked.op.infer(*types)]
    assert [value.dtype for value in results] == wanted


def test_every_operation_with_a_rule_has_cases():
    """Attention and state, which a case of one operation does not describe, have tests of their own."""
    families = {type(checked.op) for family in FAMILIES for checked in family.CASES}
    unsupported = {op for op in families if isinstance(RULES.verdict(op), Unsupported)}
    drawn_at_random = {Random}
    assert {type(checked.op) for checked in COMPUTED} == families - unsupported - drawn_at_random
