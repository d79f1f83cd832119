"""Structures of attention as ONNX models of one operation, beside their reference in fp64."""

from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import torch
from numpy.typing import NDArray
from torch import Tensor

from archspec.backends.onnx.emit import Emitter
from archspec.backends.onnx.interface import Interface
from archspec.backends.onnx.profile import Profile
from archspec.dims import num as n
from archspec.dims.parse import parse
from archspec.ir.ops.attention import Attention
from archspec.ir.types import TensorType
from tests.backends.onnx.ops.harness import graph_of, session_of
from tests.backends.torch.kernels.harness import reference
from tests.backends.torch.kernels.operands import Operands, operands
from tests.backends.torch.kernels.reference import pairs
from tests.backends.torch.kernels.structures import Structure, Table

Array = NDArray[Any]
FIRST_TABLE = 5
TORCH = {"float32": torch.float32, "float16": torch.float16}


def attention(given: Structure) -> Attention:
    """The operation."""
    return Attention(
        n.num(given.shape.E**-0.5),
        parse(given.rule) if given.rule else None,
        n.num(given.shape.start),
        tuple(given.tables),
        tuple((word, n.num(value)) for word, value in given.numbers.items()),
        n.num(given.cap) if given.cap is not None else None,
        n.num(0.0),
        parse(given.score) if given.score else None,
    )


def types(given: Structure) -> list[TensorType | None]:
    """Of the operands: B, S queries and T keys are known at run time."""
    s, (b, q, k) = given.shape, map(n.symbol, "BST")
    rows = [(s.H, q, s.E), (s.G, k, s.E), (s.G, k, s.W)]
    of_rows = [TensorType("float", (b, n.num(h), length, n.num(e))) for h, length, e in rows]
    sinks = TensorType("float", (n.num(s.H),)) if given.sunk else None
    return [*of_rows, None, sinks, *(_type(table, given) for table in given.tables.values())]


def _type(table: Table, given: Structure) -> TensorType:
    positions = n.symbol("T") if given.shape.start else n.symbol("S")
    sizes = {"b": n.symbol("B"), "h": n.num(given.shape.H), "q": positions, "k": n.symbol("T")}
    shape = tuple(sizes[x] if isinstance(x, str) else n.num(x) for x in table.axes)
    word = {"bool": "bool", "int": "int64", "float": "float"}[table.kind]
    return TensorType(word, shape)


def of_symbols(given: Structure) -> list[TensorType | None]:
    """Queries and keys of one length are of one symbol."""
    s, found = given.shape, types(given)
    if s.Q != s.K or s.start:
        return found
    same = {n.symbol("T").value: n.symbol("S")}
    shapes = [t and tuple(same.get(size.value, size) for size in t.shape) for t in found]
    return [t and t.with_shape(*(shape or ())) for t, shape in zip(found, shapes, strict=True)]


def arrays(x: Operands) -> list[Array | None]:
    each = (x.q, x.k, x.v, None, x.sinks, *x.tables.values())
    return [None if t is None else t.contiguous().numpy() for t in each]


def model(given: Structure, profile: Profile) -> ir.Model:
    """The model. What is absent at run time is no input of it."""
    absent = {f"x{FIRST_TABLE + i}" for i, table in enumerate(given.tables.values()) if table.absent}
    graph = graph_of(attention(given), of_symbols(given))
    found = Emitter(graph, profile, Interface(leave_out=frozenset(absent)), no_weight).model()
    onnx.checker.check_model(ir.to_proto(found), full_check=True)
    return found


def no_weight(path: str, param: object) -> ir.TensorProtocol:
    raise AssertionError(f"there is no parameter {path}")


def attended(given: Structure, profile: Profile, x: Operands) -> Array:
    """What ONNX Runtime computes."""
    session = session_of(model(given, profile))
    feed = {f"x{i}": array for i, array in enumerate(arrays(x)) if array is not None}
    feed |= {name: _as(session, name, feed[name]) for name in ("x4",) if name in feed}
    taken = {value.name for value in session.get_inputs()}
    feed["ids"] = np.zeros((given.shape.B, given.shape.Q), np.int64)
    found = session.run(None, {name: array for name, array in feed.items() if name in taken})
    return np.asarray(found[0])


def _as(session: Any, name: str, array: Array) -> Array:
    kinds = {each.name: each.type for each in session.get_inputs()}
    return array.astype(np.float16 if kinds[name] == "tensor(float16)" else np.float32)


def error(given: Structure, profile: Profile, seed: int = 0) -> float:
    """The largest error, as a part of the largest number that is right; NaN anywhere is infinite."""
    x = operands(given, TORCH[profile.dtype], seed)
    right, found = reference(given)(x.wide()), torch.from_numpy(attended(given, profile, x)).double()
    if found.isnan().any() or right.isnan().any() or found.shape != right.shape:
        return float("inf")
    rows = sighted(given, x)
    return float(torch.where(rows, found - right, 0.0).abs().max() / (right.abs().max() or 1.0))


def sighted(given: Structure, x: Operands) -> Tensor:
    """Queries that see something, or a sink: what others get is nobody's."""
    s = given.shape
    if given.sunk or given.rule is None:
        return torch.ones(s.B, s.H, s.Q, 1, dtype=torch.bool)
    absent = tuple(f"{word}[" for word, table in x.tables.items() if table is None)
    terms = [term for term in given.rule.split(" and ") if not absent or not term.startswith(absent)]
    scope = {**given.numbers, **{word: table for word, table in x.tables.items() if table is not None}}
    seen = pairs(" and ".join(terms) or "true", scope, (s.B, s.H, s.Q, s.K), s.start)
    return seen.bool().any(-1, True)
