"""A place that rules write for, and the run of what they write."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from archspec.backends.base import Rule
from archspec.backends.torch.code import ATOM, LAMBDA, POWER, PRODUCT, SUM, UNARY, Code
from archspec.backends.torch.ops import RULES
from archspec.dims import num as n
from archspec.dims import poly
from archspec.dims.expr import Binary, Unary, write
from archspec.dims.num import Num
from archspec.ir.op import Op
from archspec.ir.ops.source import Otherwise
from archspec.ir.types import TensorType, is_float

Array: TypeAlias = npt.NDArray[Any]
Reference: TypeAlias = Callable[..., object]
MODELS = (torch.float32, torch.bfloat16)

SIZES = {"B": 2, "S": 5}  # known only when the model runs
SETTINGS = {"heads": 4, "head_dim": 3, "one": 1, "eps": 1e-3, "rate": 0.25}
B, S = n.symbol("B"), n.symbol("S")
HEADS, HEAD_DIM, ONE = (n.named(name, SETTINGS[name]) for name in ("heads", "head_dim", "one"))
EPS, RATE = n.named("eps", 1e-3), n.named("rate", 0.25)


@dataclass(frozen=True)
class Operand:
    """What a tensor of a case is filled with; integers lie in [low, high)."""

    type: TensorType
    low: float = -2.0
    high: float = 2.0


@dataclass(frozen=True)
class Case:
    """An operation, its operands, and an independent reference over float64 or integer arrays."""

    op: Op
    operands: tuple[Operand | None, ...]
    reference: Reference | None

    def __str__(self) -> str:
        shown = [_shown(value) for _, value in self.op.attributes()]
        types = [str(o.type) if o else "-" for o in self.operands]
        return f"{self.op.name}({', '.join(shown)}; {', '.join(types)})"


def _shown(value: object) -> str:
    return f"({', '.join(map(_shown, value))})" if isinstance(value, tuple) else str(value)


def case(op: Op, *operands: Operand | None, of: Reference | None) -> Case:
    return Case(op, operands, of)


def dims(*shape: Num | int) -> tuple[Num, ...]:
    return tuple(n.num(size) for size in shape)


def f(*shape: Num | int, dtype: str = "float", low: float = -2.0, high: float = 2.0) -> Operand:
    return Operand(TensorType(dtype, dims(*shape)), low, high)


def i(high: int, *shape: Num | int, dtype: str = "int64", low: int = 0) -> Operand:
    return Operand(TensorType(dtype, dims(*shape)), low, high)


def b(*shape: Num | int) -> Operand:
    return Operand(TensorType("bool", dims(*shape)), 0, 2)


@dataclass
class Place:
    """A forward method with `ids` [B, S] and the settings as names."""

    inputs: tuple[TensorType | None, ...] = ()
    outputs: tuple[TensorType, ...] = ()
    required: list[str] = field(default_factory=list[str])

    def number(self, number: Num) -> Code:
        return Code(write(number.expr, {"B": "ids.shape[0]", "S": "ids.shape[1]"}), _level(number))

    def device(self) -> str:
        return "ids.device"

    def model_dtype(self) -> str:
        return "self.weight.dtype"

    def require(self, line: str) -> None:
        self.required.append(line)


def _level(number: Num) -> int:
    match number.expr:
        case Binary(op=op):
            return {"+": SUM, "-": SUM, "**": POWER}.get(op, PRODUCT)
        case Unary():
            return UNARY
        case _:
            return UNARY if str(number).startswith("-") else ATOM


def written(op: Op, types: tuple[TensorType | None, ...], args: list[Code | None]) -> tuple[Code, Place]:
    """What the rule for `op` writes, and where."""
    place = Place(types, op.infer(*types))
    verdict = RULES.verdict(type(op))
    assert isinstance(verdict, Rule), verdict
    return verdict.write(op, args, place), place


def text(op: Op, *types: TensorType | None, names: str = "x y z w v") -> str:
    """What the rule writes over operands with these names."""
    args = [None if t is None else Code(name) for t, name in zip(types, names.split(), strict=False)]
    return written(op, types, args)[0].text


def run(checked: Case, tensors: list[Tensor | None], model: torch.dtype, loose: bool) -> Any:
    """The value of what the rule writes, over operands that bind loosely or are names.

    `otherwise` takes an input, which is a name, and computes the other side only where it is absent.
    """
    loose = loose and not isinstance(checked.op, Otherwise)
    seen: list[int] = []

    def see(index: int) -> Tensor | None:
        seen.append(index)
        return tensors[index]

    shown = [
        Code(f"see({k}) if True else 0", LAMBDA) if loose else Code(f"x{k}") for k in range(len(tensors))
    ]
    args = [None if x is None else code for x, code in zip(tensors, shown, strict=True)]
    code, place = written(checked.op, tuple(o and o.type for o in checked.operands), args)
    names: dict[str, Any] = namespace(place.required, model)
    value: object = eval(code.text, names | {f"x{k}": x for k, x in enumerate(tensors)} | {"see": see})
    present = [k for k, x in enumerate(tensors) if x is not None]
    assert sorted(seen) == (present if loose else []), f"an operand is computed twice or never: {code.text}"
    return value


def namespace(required: list[str], model: torch.dtype, training: bool = False) -> dict[str, Any]:
    """The names that an expression may use: the settings, the module, and what was asked for."""
    owner = SimpleNamespace(training=training, weight=torch.zeros(1, dtype=model))
    names: dict[str, Any] = {
        **SETTINGS,
        "self": owner,
        "ids": torch.zeros(*SIZES.values(), dtype=torch.int64),
    }
    for line in required:
        if line.startswith("runtime:"):
            module, function = line.removeprefix("runtime:").split(".")
            source = importlib.import_module(f"archspec.backends.torch.runtime.{module}")
            names[function] = getattr(source, function)
        else:
            exec(line, names)
    return names


def concrete(shape: tuple[Num, ...]) -> tuple[int, ...]:
    return tuple(int(n.num(poly.evaluate(size.size, SIZES))) for size in shape)


def torch_dtype(name: str, model: torch.dtype) -> torch.dtype:
    return model if name == "float" else getattr(torch, name)


def tensor(operand: Operand, model: torch.dtype, seed: int) -> Tensor:
    """Random elements: float uniform in [low, high), whole numbers in [low, high)."""
    draw = np.random.default_rng(seed)
    shape, dtype = concrete(operand.type.shape), torch_dtype(operand.type.dtype, model)
    if is_float(operand.type.dtype):
        return torch.from_numpy(draw.uniform(operand.low, operand.high, shape)).to(dtype)
    return torch.from_numpy(np.asarray(draw.integers(int(operand.low), int(operand.high), shape))).to(dtype)


def array(x: Tensor) -> Array:
    return (x.double() if x.is_floating_point() else x).numpy()
