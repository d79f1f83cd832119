"""Function by function: what a call gives, keeps for the backward pass and allocates, as real torch does."""

import operator
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from archspec.backends.torch.fake import layout
from archspec.backends.torch.fake.dtypes import DTYPES
from archspec.backends.torch.fake.namespace import torch_on_shapes
from archspec.backends.torch.fake.node import reached
from archspec.backends.torch.fake.registry import FUNCTIONS
from archspec.backends.torch.fake.run import Run, gradients, running
from archspec.backends.torch.fake.storage import Storage
from archspec.backends.torch.fake.tensor import Tensor
from archspec.backends.torch.fake.tensor import tensors as results_of
from archspec.measuring.measure import LiveBytes, key_of, measure_saved, tensors
from tests.backends.torch.fake.calls import CALLS, ELSEWHERE

# How `x` (and the image `g`) lies: the shape of its storage, and the view that it is.
LAYOUTS: dict[str, tuple[tuple[int, ...], Callable[[Any], Any]]] = {
    "plain": ((2, 4, 6), lambda x: x),
    "transposed": ((2, 6, 4), lambda x: x.transpose(1, 2)),
    "first last": ((4, 6, 2), lambda x: x.permute(2, 0, 1)),
    "sliced": ((2, 4, 12), lambda x: x[..., ::2]),
    "cut": ((2, 9, 6), lambda x: x[:, 2:6]),
    "expanded": ((2, 1, 6), lambda x: x.expand(2, 4, 6)),
}
SHAPES = {
    "y": (2, 4, 6), "v": (6,), "w": (5, 6), "p": (6, 6), "one": (), "g": (2, 4, 8, 8), "k": (4, 4, 3, 3),
    "q": (2, 4, 5, 6), "r": (2, 4, 5, 6),
}  # fmt: skip
OTHERS = {
    "i": ((2, 4, 6), "int64"),
    "j": ((3,), "int64"),
    "c": ((2, 4, 6), "bool"),
    "m": ((5, 5), "bool"),
    "rest": ((6,), ""),
}
ROWS = [(name, call) for name, calls in CALLS.items() for call in calls]


def put(x: Any, key: Any, value: Any) -> Any:
    x = x.clone()
    operator.setitem(x, key, value)
    return x


def scope(make: Callable[..., Any], lies: str, dtype: str, module: Any, functional: Any) -> dict[str, Any]:
    """The names of a call; leaves with gradients are floats."""
    stored, seen = LAYOUTS[lies]
    names = {name: make(shape, dtype, True) for name, shape in SHAPES.items()}
    names |= {name: make(shape, kind or dtype, False) for name, (shape, kind) in OTHERS.items()}
    if lies == "first last":
        names["g"] = make((2, 8, 8, 4), dtype, True).permute(0, 3, 1, 2)
    return names | {"x": seen(make(stored, dtype, True)), "torch": module, "F": functional, "put": put}


def real(shape: tuple[int, ...], dtype: str, grad: bool) -> torch.Tensor:
    if dtype in ("int64", "bool"):
        return torch.randint(2, shape).to(getattr(torch, dtype))
    return torch.rand(shape).to(getattr(torch, dtype)).requires_grad_(grad)


def shaped(shape: tuple[int, ...], dtype: str, grad: bool) -> Tensor:
    kind = DTYPES[dtype]
    storage = Storage(layout.count(shape) * kind.itemsize, "input")
    x = Tensor(shape, layout.contiguous(shape), kind, storage)
    x.requires_grad = grad
    return x


def of_torch(call: str, lies: str, dtype: str) -> dict[str, Any]:
    torch.manual_seed(0)
    names = scope(real, lies, dtype, torch, F)
    known = {key_of(x) for x in names.values() if isinstance(x, torch.Tensor)}
    with torch.no_grad(), LiveBytes(known) as live:
        results = eval(call, names)
    kinds = [(tuple(x.shape), x.stride(), str(x.dtype).removeprefix("torch.")) for x in tensors(results)]
    del results
    saved = measure_saved(torch.nn.Module(), {}, lambda: eval(call, names)).saved
    return {"results": kinds, "peak": live.peak, "saved": sum(saved.values())}


def of_shapes(call: str, lies: str, dtype: str) -> dict[str, Any]:
    module: ModuleType = torch_on_shapes()
    with running(Run()) as run, gradients(False):
        names = scope(shaped, lies, dtype, module, module.nn.functional)
        run.counting = True
        results = list(results_of(eval(call, names)))
        kinds = [(tuple(x.shape), x.strides, x.dtype.name) for x in results]
        del results
        peak = run.peak
        with gradients(True):
            names = scope(shaped, lies, dtype, module, module.nn.functional)
            kept = [k.storage for node in reached(list(results_of(eval(call, names)))) for k in node.saved]
    return {"results": kinds, "peak": peak, "saved": sum({id(s): s.nbytes for s in kept}.values())}


def test_every_function_has_a_call():
    assert CALLS.keys() | ELSEWHERE == FUNCTIONS.keys()


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("lies", LAYOUTS)
@pytest.mark.parametrize(("name", "call"), ROWS, ids=[call for _, call in ROWS])
def test_a_call(name: str, call: str, lies: str, dtype: str):
    if name == "avg_pool3d" and dtype == "bfloat16":
        pytest.skip("torch has none")
    assert of_shapes(call, lies, dtype) == of_torch(call, lies, dtype)
