"""Modules of torch.nn compute what the functional rule computes; parameters start as they are told."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from archspec.backends.torch.code import Code
from archspec.backends.torch.init import LEAVES, initialiser, leaf
from archspec.dims import num as n
from archspec.dims.expr import write
from archspec.dims.num import Num
from archspec.errors import InternalError
from archspec.ir.graph import Init, Param, Value
from archspec.ir.op import Op
from archspec.ir.ops.contract import Conv, ConvTranspose, Linear
from archspec.ir.ops.elementwise import Dropout, Map
from archspec.ir.ops.norm import BatchNorm, GroupNorm, LayerNorm, RmsNorm
from archspec.ir.ops.shape import Gather
from tests.backends.torch.ops.harness import (
    EPS,
    HEADS,
    RATE,
    SETTINGS,
    B,
    Operand,
    S,
    dims,
    f,
    i,
    namespace,
    tensor,
    written,
)

ZERO, TINY = n.num(0), n.num(1e-5)
ONES = Init("constant", n.num(1.0))
D = n.named("hidden_size", 6)
Row = tuple[str, Op, Operand, dict[str, Operand]]


def text(number: Num) -> str:
    return write(number.expr)


def pads(*sides: int) -> tuple[tuple[Num, Num], ...]:
    return tuple((n.num(a), n.num(z)) for a, z in zip(sides[::2], sides[1::2], strict=True))


def conv(axes: int, padding: tuple[tuple[Num, Num], ...], stride: int = 1, groups: Num | None = None) -> Conv:
    ones = dims(*[1] * axes)
    return Conv(dims(*[stride] * axes), padding, ones, n.num(1) if groups is None else groups)


WEIGHT_BIAS = {"weight": f(D), "bias": f(D)}
RUNNING = {"running_mean": f(4), "running_var": f(4, low=0.5), "num_batches_tracked": i(9)}
UP = ConvTranspose(dims(2, 2), dims(1, 1), dims(1, 1), dims(1, 1), n.num(1))
CHANNELS = n.named("channels", 8)
LEAF: list[Row] = [
    ("nn.Linear(hidden_size, heads)", Linear(), f(B, S, D), {"weight": f(HEADS, D), "bias": f(HEADS)}),
    ("nn.Linear(hidden_size, 3 * heads, bias=False)", Linear(), f(B, D), {"weight": f(3 * HEADS, D)}),
    ("nn.Embedding(9, hidden_size)", Gather(), i(9, B, S), {"weight": f(9, D)}),
    ("nn.Embedding(9, hidden_size)", Gather(-2), i(9, S, dtype="int32"), {"weight": f(9, D)}),
    ("nn.LayerNorm(hidden_size)", LayerNorm(TINY), f(B, S, D), WEIGHT_BIAS),
    ("nn.LayerNorm(hidden_size, eps=eps, bias=False)", LayerNorm(EPS), f(B, D), {"weight": f(D)}),
    ("nn.LayerNorm(hidden_size, elementwise_affine=False)", LayerNorm(TINY), f(B, D), {}),
    ("nn.RMSNorm(hidden_size, eps=eps)", RmsNorm(EPS, ZERO, "after"), f(B, D), {"weight": f(D)}),
    ("nn.RMSNorm(hidden_size, eps=eps, elementwise_affine=False)", RmsNorm(EPS, ZERO), f(B, D), {}),
    ("nn.GroupNorm(2, 4)", GroupNorm(n.num(2), TINY), f(B, 4, S), {"weight": f(4), "bias": f(4)}),
    ("nn.GroupNorm(heads, 8, eps=eps, affine=False)", GroupNorm(HEADS, EPS), f(B, 8, 3, 3), {}),
    ("nn.BatchNorm2d(4, eps=eps, affine=False)", BatchNorm(EPS, n.num(0.1)), f(B, 4, 3, 3), RUNNING),
    (
        "nn.BatchNorm1d(4, momentum=0.2)",
        BatchNorm(TINY, n.num(0.2)),
        f(B, 4, S),
        {**RUNNING, "weight": f(4), "bias": f(4)},
    ),
    ("nn.Conv1d(4, 6, 3, bias=False)", conv(1, pads(0, 0)), f(B, 4, S), {"weight": f(6, 4, 3)}),
    (
        "nn.Conv2d(4, 6, 3, stride=2, padding=1)",
        conv(2, pads(1, 1, 1, 1), stride=2),
        f(B, 4, 8, 8),
        {"weight": f(6, 4, 3, 3), "bias": f(6)},
    ),
    (
        "nn.Conv2d(channels, 8, (3, 1), padding=(1, 0), groups=heads)",
        conv(2, pads(1, 1, 0, 0), groups=HEADS),
        f(B, CHANNELS, 5, 5),
        {"weight": f(8, CHANNELS // HEADS, 3, 1), "bias": f(8)},
    ),
    (
        "nn.Conv1d(heads, heads, 3, padding=1, groups=heads, bias=False)",
        conv(1, pads(1, 1), groups=HEADS),
        f(B, HEADS, S),
        {"weight": f(HEADS, 1, 3)},
    ),
    (
        "nn.ConvTranspose2d(4, 3, 3, stride=2, padding=1, output_padding=1)",
        UP,
        f(B, 4, 3, 3),
        {"weight": f(4, 3, 3, 3), "bias": f(3)},
    ),
    ("nn.Dropout(rate)", Dropout(RATE), f(B, D), {}),
]


def params(given: dict[str, Operand]) -> tuple[Param, ...]:
    return tuple(
        Param(Value(name, operand.type), ONES, trainable=name not in RUNNING)
        for name, operand in given.items()
    )


def constructed(row: Row) -> tuple[nn.Module, Tensor, dict[str, Tensor]]:
    """The module that the text constructs, holding random tensors, an input and those tensors."""
    _, op, x, given = row
    constructor = leaf(op, params(given), text, x.type)
    assert constructor is not None
    module: nn.Module = eval(constructor, {"nn": nn, "hidden_size": 6, "channels": 8, **SETTINGS})
    tensors = {name: tensor(o, torch.float32, seed) for seed, (name, o) in enumerate(given.items(), 1)}
    module.load_state_dict(tensors)
    return module.eval(), tensor(x, torch.float32, 0), tensors


@pytest.mark.parametrize("row", LEAF, ids=[row[0] for row in LEAF])
def test_a_leaf_is_written_as_torch_takes_it(row: Row):
    expected, op, x, given = row
    assert leaf(op, params(given), text, x.type) == expected


@pytest.mark.parametrize("row", LEAF, ids=[row[0] for row in LEAF])
def test_a_leaf_has_the_parameters_it_was_given(row: Row):
    module, _, tensors = constructed(row)
    assert {name for name, _ in module.named_parameters()} == set(tensors) - set(RUNNING)
    assert {name for name, _ in module.named_buffers()} == set(tensors) & set(RUNNING)
    state: dict[str, Tensor] = module.state_dict()
    assert all(state[name].equal(value) for name, value in tensors.items())


@pytest.mark.parametrize("row", LEAF, ids=[row[0] for row in LEAF])
def test_a_leaf_computes_what_the_rule_computes(row: Row):
    _, op, x, given = row
    module, value, tensors = constructed(row)
    operands = {"x": x, **given}
    if isinstance(op, Gather):  # the table comes first
        operands = {**given, "x": x}
    args: list[Code | None] = [Code(name) for name in operands]
    code, place = written(op, tuple(o.type for o in operands.values()), args)
    names = namespace(place.required, torch.float32)
    expected: Tensor = eval(code.text, names | {"hidden_size": 6, "x": value} | tensors)
    torch.testing.assert_close(module(value), expected, rtol=0, atol=0)


def test_every_leaf_is_tried():
    assert {type(op) for _, op, _, _ in LEAF} == set(LEAVES)


SMALL = {"weight": f(4, D)}
NOT_LEAVES: dict[str, tuple[Op, Operand, dict[str, Operand]]] = {
    "an operation without a module": (Map("gelu"), f(B), {}),
    "another name": (Linear(), f(B, D), {"kernel": f(4, D)}),
    "another order": (Linear(), f(B, D), {"bias": f(4), "weight": f(4, D)}),
    "a bias alone": (LayerNorm(TINY), f(B, D), {"bias": f(D)}),
    "an input in fp32": (Linear(), f(B, D, dtype="float32"), SMALL),
    "a weight in fp32": (Linear(), f(B, D), {"weight": f(4, D, dtype="float32")}),
    "a table read along another axis": (Gather(1), i(4, B), SMALL),
    "a table of one axis": (Gather(), i(4, B), {"weight": f(9)}),
    "an index that nn.Embedding does not take": (Gather(), i(4, B, dtype="uint8"), SMALL),
    "a cast before the weight": (RmsNorm(EPS, ZERO, "before"), f(B, D), {"weight": f(D)}),
    "a weight around 1": (RmsNorm(EPS, n.num(1), "after"), f(B, D), {"weight": f(D)}),
    "uneven padding": (conv(1, pads(2, 0)), f(B, 4, S), {"weight": f(6, 4, 3)}),
    "a grid of four axes": (conv(4, pads(*[0] * 8)), f(1, 2, 3, 3, 3, 3), {"weight": f(2, 2, 1, 1, 1, 1)}),
    "a norm over a grid of four axes": (BatchNorm(TINY, n.num(0.1)), f(1, 4, 3, 3, 3, 3), RUNNING),
}


@pytest.mark.parametrize(("op", "x", "given"), NOT_LEAVES.values(), ids=NOT_LEAVES)
def test_what_is_no_leaf(op: Op, x: Operand, given: dict[str, Operand]):
    assert leaf(op, params(given), text, x.type) is None


def test_a_buffer_is_not_a_weight():
    frozen = tuple(Param(p.value, p.init, trainable=False) for p in params(SMALL))
    assert leaf(Linear(), frozen, text, f(B, D).type) is None
    learned = tuple(Param(p.value, p.init, trainable=True) for p in params(RUNNING))
    assert leaf(BatchNorm(TINY, n.num(0.1)), learned, text, f(B, 4, S).type) is None


STARTS = {
    "nn.init.normal_({}, std=0.02)": Init("normal", n.num(0.0), n.num(0.02)),
    "nn.init.normal_({})": Init("normal", n.num(0), n.num(1)),
    "nn.init.normal_({}, mean=1.5, std=hidden_size**-0.5)": Init("normal", n.num(1.5), D**-0.5),
    "nn.init.trunc_normal_({}, std=0.02)": Init("trunc_normal", n.num(0.0), n.num(0.02)),
    "nn.init.uniform_({}, -0.5, 0.25)": Init("uniform", n.num(-0.5), n.num(0.25)),
    "nn.init.zeros_({})": Init("constant", n.num(0.0)),
    "nn.init.ones_({})": Init("constant", n.num(1)),
    "nn.init.constant_({}, eps)": Init("constant", EPS),
    "{0}.copy_(sinusoids(*{0}.shape, eps, 3))": Init("sinusoids", EPS, n.num(3)),
}


@pytest.mark.parametrize(("expected", "init"), STARTS.items(), ids=STARTS)
def test_a_start_is_written_with_torchs_defaults_left_out(expected: str, init: Init):
    assert initialiser(init, text) == expected


def moments(init: Init) -> tuple[float, float, float]:
    """Mean, standard deviation and largest magnitude of what the statement fills."""
    torch.manual_seed(0)
    x = torch.full((100_000,), torch.nan)
    names: dict[str, Any] = {"nn": nn, "x": x, "hidden_size": 6, **SETTINGS}
    exec(initialiser(init, text).format("x"), names)
    return x.mean().item(), x.std().item(), x.abs().max().item()


def test_a_start_has_its_distribution():
    mean, std, _ = moments(STARTS["nn.init.normal_({}, mean=1.5, std=hidden_size**-0.5)"])
    assert (mean, std) == (pytest.approx(1.5, abs=0.01), pytest.approx(6**-0.5, abs=0.01))
    mean, std, most = moments(Init("trunc_normal", n.num(0.0), n.num(1.5)))
    assert (mean, most <= 2) == (pytest.approx(0, abs=0.01), True)
    assert std < 1.2
    mean, std, most = moments(STARTS["nn.init.uniform_({}, -0.5, 0.25)"])
    assert (mean, std) == (pytest.approx(-0.125, abs=0.01), pytest.approx(0.75 / 12**0.5, abs=0.01))
    assert moments(STARTS["nn.init.constant_({}, eps)"]) == pytest.approx((1e-3, 0, 1e-3))


def test_an_unknown_start_is_our_fault():
    with pytest.raises(InternalError, match="B003 nothing starts a parameter as 'orthogonal'"):
        initialiser(Init("orthogonal", n.num(1)), text)
