"""Bias, order of cap and mask, rows that see nothing, absent operands, and sizes that are known."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest
import torch

from archspec import api
from archspec.backends.onnx.emit import Emitter
from archspec.backends.onnx.modes import in_mode
from archspec.backends.onnx.profile import Profile
from archspec.dims import num as n
from archspec.dims.parse import parse
from archspec.errors import UnsupportedError
from archspec.ir.graph import Param
from archspec.ir.ops.attention import Attention
from archspec.ir.types import TensorType
from tests.backends.onnx.decoders import TEXT, WIDTH
from tests.backends.onnx.ops.harness import Array, model_of, run
from tests.backends.onnx.structures import attended, error
from tests.backends.torch.kernels.operands import Operands, operands
from tests.backends.torch.kernels.structures import STRUCTURES, Structure, Table

TOLERANCE = 1e-5  # sums in another order
B, H, S, E = 2, 4, 7, 8
SYMBOLS = {2: n.symbol("B"), 7: n.symbol("S")}
PROFILES = ("standard", "portable")


def sized(*shape: int) -> TensorType:
    return TensorType("float", tuple(SYMBOLS.get(size, n.num(size)) for size in shape))


def drawn(*shape: int) -> Array:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


def attention(mask: str | None, operands: tuple[str, ...] = (), cap: float | None = None) -> Attention:
    rule, softcap = parse(mask) if mask else None, n.num(cap) if cap is not None else None
    return Attention(n.num(E**-0.5), rule, n.num(0), operands, (), softcap, n.num(0.0))


def expected(bias: Array, mask: str | None, cap: float | None) -> Array:
    """Cap, then bias, then mask."""
    q, k, v = (torch.from_numpy(drawn(B, H, S, E) * scale).double() for scale in (1, 2, 3))
    scores = q @ k.mT * E**-0.5
    scores = scores if cap is None else cap * torch.tanh(scores / cap)
    scores = scores + torch.from_numpy(bias).double()
    scores = scores if mask is None else scores.masked_fill(~torch.ones(S, S).tril().bool(), -torch.inf)
    return (scores.softmax(-1) @ v).numpy()


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("cap", [None, 0.5])
@pytest.mark.parametrize("mask", [None, "k <= q"])
@pytest.mark.parametrize(
    "shape", [(B, H, S, S), (1, 1, S, S), (1, H, 1, S), (B, 1, S, 1), (H, S, S), (S, S), (S,)]
)
def test_bias_of_any_shape(shape: tuple[int, ...], mask: str | None, cap: float | None, profile: str):
    op = attention(mask, cap=cap)
    rows, bias = sized(B, H, S, E), drawn(*shape) * 3
    given = [drawn(B, H, S, E) * scale for scale in (1, 2, 3)]
    sizes = {"B": B, "S": S}
    (found,) = run(op, [rows, rows, rows, sized(*shape)], [*given, bias], sizes, Profile(profile))
    right = expected(bias, mask, cap)
    assert np.abs(found - right).max() <= TOLERANCE * np.abs(right).max()


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("name", ["padding", "capped, with a bias", "window", "sunk"])
def test_rows_that_see_nothing_are_numbers(name: str, profile: str, dtype: str):
    given = STRUCTURES[name]
    tables = {**given.tables, "t": Table(("b", "k"))}
    rule = f"({given.rule}) and t[b, k]"
    blind = Structure(rule, given.numbers, tables, given.score, given.cap, given.sunk, given.shape)
    x = operands(blind, getattr(torch, dtype))
    padding = x.tables["t"]
    assert padding is not None
    padding.fill_(False)
    assert np.isfinite(attended(blind, Profile(profile, dtype), x)).all()


@pytest.mark.parametrize(
    ("rule", "meant"),
    [
        ("k <= q and (t[b, k] or k < 3)", "k <= q"),
        ("(k <= q and t[b, k])", "k <= q"),
        ("k <= q and not t[b, k]", "k <= q"),
        ("(k < 9 or k <= q and t[b, k])", None),
    ],
)
def test_a_term_whose_operand_is_absent_is_true(rule: str, meant: str | None):
    x = operands(Structure(meant))
    absent = Structure(rule, tables={"t": Table(("b", "k"), optional=True, absent=True)})
    found, wanted = attended(absent, Profile(), x), attended(Structure(meant), Profile(), x)
    assert np.array_equal(found, wanted)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize(
    "given",
    [
        Structure("k <= q", {}, {"t": Table(("b", "k"), "float")}, "t[b, max(q - k, 0)]"),
        Structure("k <= q", {}, {"t": Table(("h", 9), "float")}, "t[h, (q - k) % 9] * sqrt(abs(q - k) + 1)"),
        Structure("(k - q) // 4 <= 0 and (k - q) % 3 != 1"),
    ],
    ids=["of a row, by distance", "of a head, by distance", "of negative numbers"],
)
def test_rules(given: Structure, profile: str):
    assert error(given, Profile(profile)) <= TOLERANCE


def test_integers_are_true_where_they_are_not_0():
    rule = "not t[b, k] or q == k or t[b, q]"
    numbers, flags = (Structure(rule, tables={"t": Table(("b", "k"), kind)}) for kind in ("int", "bool"))
    x = operands(numbers)
    there = x.tables["t"]
    assert there is not None
    y = Operands(x.q, x.k, x.v, {"t": there.bool()})
    assert np.array_equal(attended(numbers, Profile(), x), attended(flags, Profile(), y))


def test_a_condition_chooses():
    """`a if t else b`, which the reference reads alike."""
    given = Structure("k <= q + (3 if h == 1 else 0)")
    assert error(given, Profile()) <= TOLERANCE


def test_what_has_no_value_at_a_pair_is_refused():
    op, rows = attention("k <= q and t[b, 0:2]", ("t",)), sized(B, H, S, E)
    table = TensorType("bool", (n.symbol("B"), n.symbol("S")))
    with pytest.raises(UnsupportedError, match="U003"):
        model_of(op, [rows, rows, rows, None, None, table], Profile())


def decoder(folder: Path, options: str, **fixed: int) -> list[str]:
    """The operators of a decoder where these sizes are known."""
    path = folder / "decoder.yaml"
    path.write_text(f"archspec: 1\nname: decoder{TEXT.format(width=WIDTH, options=options)}", "utf-8")
    graph, form = in_mode(api.lower(path), "cached")
    model = Emitter(graph, Profile("genai"), replace(form, fixed=fixed), weight).model()
    return [node.op_type for node in model.graph.all_nodes()]


def weight(path: str, param: Param) -> ir.TensorProtocol:
    return ir.tensor(np.zeros([int(size) for size in param.value.type.shape], np.float32), name=path)


def test_a_batch_of_several_tokens_is_not_for_the_buffers(tmp_path: Path):
    """ONNX Runtime refuses it behind a past; one row, or one token, it takes."""
    options = "mask: causal and padding(attention_mask)"
    assert decoder(tmp_path, options, B=2, S=3).count("GroupQueryAttention") == 0
    assert decoder(tmp_path, options, B=1, S=3).count("GroupQueryAttention") == 2
    assert decoder(tmp_path, options, B=2, S=1).count("GroupQueryAttention") == 2


@pytest.mark.parametrize(("length", "blocks"), [(40, 0), (200, 1)])
def test_known_lengths_decide_at_once(length: int, blocks: int):
    size, batch = n.num(length), n.symbol("B")
    op = attention("abs(q - k) <= 8")
    rows = TensorType("float", (batch, n.num(H), size, n.num(E)))
    graph = model_of(op, [rows, rows, rows], Profile()).graph
    found = [node.op_type for node in graph.all_nodes()]
    assert (found.count("If"), found.count("Pad")) == (0, blocks)
    x = [drawn(B, H, length, E) for _ in range(3)]
    (y,) = run(op, [rows, rows, rows], x, {"B": B, "S": 1}, Profile())
    q, k, v = (torch.from_numpy(part).double() for part in x)
    far = (torch.arange(length)[:, None] - torch.arange(length)).abs() > 8
    right = ((q @ k.mT * E**-0.5).masked_fill(far, -torch.inf).softmax(-1) @ v).numpy()
    assert np.abs(y - right).max() <= TOLERANCE * np.abs(right).max()
