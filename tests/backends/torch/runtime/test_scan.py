"""The two ways to run a recurrence agree, with their gradients, at any length and wherever it is cut."""

import ast
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from archspec.backends.torch.runtime import scan
from archspec.backends.torch.runtime.cache import Carried

LENGTHS = st.integers(1, 70)
Way: TypeAlias = Callable[[Tensor, Tensor, Tensor, int], Tensor]
WAYS: tuple[Way, ...] = (scan.one_by_one, scan.side_by_side)


def drawn(seed: int, length: int, dim: int = 1) -> tuple[Tensor, Tensor, Tensor]:
    """Factors in (0, 1), a tenth of them 0; what is added; a start. The axis of S is `dim`."""
    random = torch.Generator().manual_seed(seed)
    a = torch.rand(2, length, 3, 2, generator=random, dtype=torch.float64)
    a *= torch.rand(a.shape, generator=random) > 0.1
    b = torch.randn(a.shape, generator=random, dtype=torch.float64)
    first = torch.randn(2, 3, 2, generator=random, dtype=torch.float64)
    return a.movedim(1, dim), b.movedim(1, dim), first


def defined(a: Tensor, b: Tensor, h: Tensor, dim: int) -> Tensor:
    """The recurrence as it is written down."""
    found: list[Tensor] = []
    for a_t, b_t in zip(a.unbind(dim), b.unbind(dim), strict=True):
        h = a_t * h + b_t
        found.append(h)
    return torch.stack(found, dim)


@given(st.integers(0, 99), LENGTHS, st.integers(0, 3))
def test_both_ways_give_what_is_defined(seed: int, length: int, dim: int):
    a, b, first = drawn(seed, length, dim)
    expected = defined(a, b, first, dim)
    for way in WAYS:
        torch.testing.assert_close(way(a, b, first, dim), expected)


@given(st.integers(0, 99), st.integers(2, 70), st.data())
def test_a_cut_changes_nothing(seed: int, length: int, data: st.DataObject):
    a, b, first = drawn(seed, length)
    cut = data.draw(st.integers(1, length - 1))
    whole, last = scan.linear_scan(a, b, first)
    early, middle = scan.linear_scan(a[:, :cut], b[:, :cut], first)
    late, end = scan.linear_scan(a[:, cut:], b[:, cut:], middle)
    torch.testing.assert_close(torch.cat([early, late], 1), whole)
    torch.testing.assert_close(end, last)


@pytest.mark.parametrize("learns", [False, True])
def test_states_may_be_written_over_what_is_added(*, learns: bool):
    a, b, first = drawn(3, 9)
    expected = defined(a, b, first, 1)
    given = b.clone().requires_grad_(learns)
    with torch.set_grad_enabled(learns):
        h, last = scan.linear_scan(a, given, first, over=True)
    torch.testing.assert_close(h, expected)
    torch.testing.assert_close(last, expected[:, -1])
    assert (h.data_ptr() == given.data_ptr()) is not learns


@settings(max_examples=20)
@given(st.integers(0, 99), LENGTHS)
def test_the_gradient_is_exact(seed: int, length: int):
    leaves = [x.requires_grad_() for x in drawn(seed, length)]
    weight = torch.randn(leaves[1].shape, dtype=torch.float64)
    h, last = scan.linear_scan(leaves[0], leaves[1], leaves[2])
    expected = defined(leaves[0], leaves[1], leaves[2], 1)
    got = torch.autograd.grad((h * weight).sum() + last.sum(), leaves)
    wanted = torch.autograd.grad((expected * weight).sum() + expected[:, -1].sum(), leaves)
    torch.testing.assert_close(got, wanted)


def test_it_can_be_differentiated_twice():
    a, b, first = (x[..., 0].detach().requires_grad_() for x in drawn(0, 5))
    states = partial(scan.all_states, dim=1)
    assert torch.autograd.gradcheck(states, (a, b, first))
    assert torch.autograd.gradgradcheck(states, (a, b, first))


@pytest.mark.parametrize("way", WAYS)
def test_factors_near_zero_are_no_trouble(way: Way):
    """Products of 1,000 such factors underflow, and nothing is divided by them."""
    for factor in (0.0, 1e-30, 1e-3):
        a, b = torch.full((1, 1000, 1), factor), torch.ones(1, 1000, 1)
        expected = torch.full_like(b, 1 / (1 - factor))
        expected[:, 0] = 1
        got = way(a, b, torch.zeros(1, 1), 1)
        torch.testing.assert_close(got[:, 3:], expected[:, 3:])
        assert got.isfinite().all()


@pytest.mark.parametrize("way", WAYS)
def test_a_long_memory_keeps_its_precision(way: Way):
    a, b = torch.full((1, 4096, 1), 0.9999), torch.randn(1, 4096, 1)
    exact = defined(a.double(), b.double(), torch.zeros(1, 1).double(), 1)
    torch.testing.assert_close(way(a, b, torch.zeros(1, 1), 1).double(), exact, rtol=1e-4, atol=1e-3)


def wide(u: Tensor, c: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
    """A step with a state [.., S, 64, 32] that is made of less and read to less."""
    states, last = scan.linear_scan(torch.sigmoid(u)[..., None], u[..., None] * c[:, :, None], h)
    return (states * c[:, :, None]).sum(-1), last


@pytest.mark.parametrize("length", [1, 63, 64, 65, 130])
def test_pieces_give_what_the_whole_gives(length: int):
    """A piece has 64 positions here; the gradient goes through the borders."""
    u, c, h = torch.randn(2, length, 64), torch.randn(2, length, 32), torch.randn(2, 64, 32)
    for x in (u, c, h):
        x.requires_grad_()
    assert 2**18 // h.numel() == 64
    results = wide(u, c, h), scan.in_pieces(wide, (u, c), h, 1)
    torch.testing.assert_close(*results)
    grads = (torch.autograd.grad(y.square().sum() + last.sum(), (u, c, h)) for y, last in results)
    torch.testing.assert_close(*grads, rtol=1e-4, atol=1e-4)
    with torch.no_grad():
        torch.testing.assert_close(scan.in_pieces(wide, (u, c), h, 1), results[0])


def test_the_wide_state_never_stands_in_memory():
    """Of 600 positions, a program holds less than 130 at once, also for training."""
    u, c, h = (torch.randn(1, 600, 64), torch.randn(1, 600, 64), torch.zeros(1, 64, 64))
    u.requires_grad_()
    saved: list[int] = []

    def count(x: Tensor) -> Tensor:
        saved.append(x.numel())
        return x

    with torch.autograd.graph.saved_tensors_hooks(count, lambda x: x):
        scan.in_pieces(wide, (u, c), h, 1)
    assert sum(saved) < 130 * h.numel()


def test_two_models_in_a_process_share_the_operation():
    """Defined again, the operation of the first model would be gone, and its training with it."""
    source = Path(scan.__file__).read_text()
    again: dict[str, Any] = {}
    exec(compile(source, "again", "exec"), again)
    assert again["all_states"] is scan.all_states


@pytest.mark.parametrize("learns", [False, True])
def test_a_single_step_gives_what_is_defined(*, learns: bool):
    a, b, first = drawn(5, 1)
    h, last = scan.linear_scan(a[..., :1], b.requires_grad_(learns), first)
    torch.testing.assert_close(h, defined(a[..., :1], b, first, 1))
    torch.testing.assert_close(last, h[:, -1])


def test_it_is_one_operation_to_compilers():
    a, b, first = (x.float() for x in drawn(0, 9))

    def run(a: Tensor, b: Tensor) -> Tensor:
        return scan.in_pieces(scan.linear_scan, (a, b), first, 1)[0].sin()

    compiled = torch.compile(run, fullgraph=True, backend="aot_eager", dynamic=True)
    for length in (9, 5):
        torch.testing.assert_close(compiled(a[:, :length], b[:, :length]), run(a[:, :length], b[:, :length]))


Outer: TypeAlias = tuple[Tensor, Tensor, Tensor, Tensor, Tensor]


def outer(seed: int, length: int, dim: int = 1) -> Outer:
    """Factors in (-1, 1), a tenth of them 0, of 2 x 3 heads; x of them, w and c of both; a start."""
    random = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=random, dtype=torch.float64)

    a = torch.tanh(normal(2, length, 3)) * (normal(2, length, 3) > -1.28)
    x, w, c = normal(2, length, 3, 4), normal(2, length, 1, 5), normal(2, length, 1, 5)
    return a.movedim(1, dim), x.movedim(1, dim), w.movedim(1, dim), c.movedim(1, dim), normal(2, 3, 4, 5)


def outer_defined(a: Tensor, x: Tensor, w: Tensor, c: Tensor, h: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """The recurrence of outer products and its reading as they are written down."""
    h = defined(a[..., None, None], x[..., None] * w[..., None, :], h, dim)
    return (h * c[..., None, :]).sum(-1), h.select(dim, -1)


@settings(deadline=None)
@given(st.integers(0, 99), st.sampled_from((1, 2, 63, 64, 65, 128, 150)), st.integers(0, 2))
def test_chunks_of_outer_products_give_what_is_defined(seed: int, length: int, dim: int):
    given = outer(seed, length, dim)
    torch.testing.assert_close(scan.outer_scan(*given, dim), outer_defined(*given, dim))


@pytest.mark.parametrize("length", [1, 9, 64, 130])
def test_the_gradient_of_chunks_is_exact(length: int):
    leaves = [x.requires_grad_() for x in outer(0, length)]
    a, x, w, c, h = leaves
    results = scan.outer_scan(a, x, w, c, h), outer_defined(a, x, w, c, h, 1)
    grads = (torch.autograd.grad(y.square().sum() + last.sum(), leaves) for y, last in results)
    torch.testing.assert_close(*grads)


def test_chunks_forget_all_and_keep_all():
    """Products of 64 small factors underflow, as they would one by one; nothing is divided or a logarithm."""
    for factor in (0.0, 1e-30, 1.0):
        _, *rest = (part.float() for part in outer(0, 200))
        a, (x, w, c, h) = torch.full((2, 200, 3), factor), rest
        y, last = scan.outer_scan(a, x, w, c, h)
        expected = outer_defined(a.double(), x.double(), w.double(), c.double(), h.double(), 1)
        torch.testing.assert_close((y.double(), last.double()), expected, rtol=1e-4, atol=2e-4)


def test_chunks_compile_whatever_their_number():
    compiled = torch.compile(scan.outer_scan, fullgraph=True, backend="aot_eager", dynamic=True)
    for length in (70, 130):
        torch.testing.assert_close(compiled(*outer(1, length)), scan.outer_scan(*outer(1, length)))


def test_functions_read_torch_and_each_other_alone():
    tree = ast.parse(Path(scan.__file__).read_text())
    lines = {ast.unparse(x) for x in ast.walk(tree) if isinstance(x, ast.Import | ast.ImportFrom)}
    assert lines == {
        "import torch.nn.functional as F",
        "import torch.utils.checkpoint",
        "from torch import Tensor",
        "from typing import Any",
        "from collections.abc import Callable",
    }


def test_what_is_carried_is_a_copy():
    carried, x = Carried(), torch.ones(2, 3)
    assert carried.kept is None
    carried.keep(x, 5)
    x.zero_()
    assert carried.kept is not None
    assert carried.kept.equal(torch.ones(2, 3))
    assert carried.length == 5
