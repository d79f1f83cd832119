"""Short spellings of tensor types."""

from archspec.dims import num as n
from archspec.dims.evaluate import evaluate
from archspec.dims.num import Num
from archspec.dims.parse import parse
from archspec.ir.types import TensorType


def size(value: int | float | str) -> Num:
    """A number, or an expression over sizes known only when the model runs."""
    if isinstance(value, str):
        found = evaluate(parse(value), n.symbol)
        assert isinstance(found, Num)
        return found
    return n.num(value)


def sizes(*values: int | float | str) -> tuple[Num, ...]:
    return tuple(size(v) for v in values)


def f(*values: int | float | str, dtype: str = "float") -> TensorType:
    return TensorType(dtype, sizes(*values))


def f32(*values: int | float | str) -> TensorType:
    return f(*values, dtype="float32")


def i(*values: int | float | str) -> TensorType:
    return f(*values, dtype="int64")


def b(*values: int | float | str) -> TensorType:
    return f(*values, dtype="bool")
