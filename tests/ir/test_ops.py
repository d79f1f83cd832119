"""Shape rules: what each operation gives, and what it refuses, with which code."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archspec.ir.op import Op, result_types
from archspec.ir.ops import REGISTRY
from archspec.ir.types import DTYPES, ShapeError, TensorType
from tests.ir.cases import LARGE, Accepted, Refused
from tests.ir.cases_small import SMALL
from tests.ir.types import size

CASES = (*LARGE, *SMALL)
ACCEPTED = [case for case in CASES if isinstance(case, Accepted)]
REFUSED = [case for case in CASES if isinstance(case, Refused)]

CODES = {None, *(case.code for case in REFUSED)}


def shown(case: Accepted | Refused) -> str:
    return f"{case.op.name}-{'-'.join(str(x) for x in case.operands)}"


@pytest.mark.parametrize("case", ACCEPTED, ids=shown)
def test_accepted(case: Accepted):
    assert result_types(case.op, case.operands) == case.results


@pytest.mark.parametrize("case", REFUSED, ids=shown)
def test_refused(case: Refused):
    with pytest.raises(ShapeError) as error:
        result_types(case.op, case.operands)
    assert error.value.code == case.code
    assert error.value.message


@pytest.mark.parametrize("name", sorted(REGISTRY))
def test_every_operation_has_cases(name: str):
    kind = REGISTRY[name]
    assert kind in {type(case.op) for case in ACCEPTED}, f"tests/ir/cases*.py show nothing that {name} takes"
    assert kind in {type(case.op) for case in REFUSED}, f"tests/ir/cases*.py show nothing that {name} refuses"


@pytest.mark.parametrize("case", ACCEPTED, ids=shown)
def test_an_operand_too_many_or_too_few(case: Accepted):
    with pytest.raises(ShapeError) as error:
        result_types(case.op, (*case.operands, *[None] * 8))
    assert error.value.code == "T013"


_SIZES = st.sampled_from((0, 1, 2, 3, 4, 6, 8, "S", "B", "S + 1", 2.5)).map(size)
_TYPES = st.builds(TensorType, st.sampled_from((*DTYPES, "float8")), st.lists(_SIZES, max_size=5).map(tuple))
_OPERANDS = st.lists(st.one_of(st.none(), _TYPES), max_size=6)


@given(st.sampled_from([case.op for case in CASES]), _OPERANDS)
def test_any_operands_are_taken_or_refused(op: Op, operands: list[TensorType | None]):
    assert _problem(op, operands) in CODES


@given(st.sampled_from(CASES), st.data())
def test_operands_that_nearly_fit_are_taken_or_refused(case: Accepted | Refused, data: st.DataObject):
    operands = [x if data.draw(st.booleans()) else data.draw(_TYPES) for x in case.operands]
    other = data.draw(st.sampled_from([c.op for c in CASES if type(c.op) is type(case.op)]))
    assert _problem(other, operands) in CODES


def _problem(op: Op, operands: list[TensorType | None]) -> str | None:
    try:
        result_types(op, operands)
    except ShapeError as error:
        return error.code
    return None


def test_operands_of_unknown_dtype():
    with pytest.raises(ShapeError, match="unknown dtype"):
        result_types(REGISTRY["stop_gradient"](), [TensorType("float8", ())])


def test_attributes_are_listed_in_order():
    op = REGISTRY["softmax"]()
    assert op.attributes() == (("axis", -1), ("dtype", "float32"))
