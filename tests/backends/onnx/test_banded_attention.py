"""Windows by blocks: exact for every length, on both sides of where they start to be used."""

import pytest
import torch

from archspec.backends.onnx.bands import Band
from archspec.backends.onnx.profile import Profile
from archspec.dims import num as n
from archspec.ir.reach import reach_of
from tests.backends.onnx.structures import attended, attention, error, model
from tests.backends.torch.kernels.harness import reference
from tests.backends.torch.kernels.operands import operands
from tests.backends.torch.kernels.structures import STRUCTURES, Structure

TOLERANCE = 1e-5  # sums in another order
NEAR = (
    "window", "window, both sides", "window, uneven", "dilated", "chunks", "chunks, causal", "global by data",
    "global by data, padded", "sunk", "sunk, with data", "shared keys", "narrow values",
)  # fmt: skip
FAR = ("causal", "prefix", "sinks in a window", "strided", "documents", "outside of a window", "per head")


def kinds(given: Structure, profile: str = "standard") -> list[str]:
    return [node.op_type for node in model(given, Profile(profile)).graph.all_nodes()]


def most(given: Structure) -> int:
    """The most keys of which all queries look at all."""
    op = attention(given)
    assert op.mask is not None
    reach, some = reach_of(op.mask, dict(op.names)), n.num(1)
    assert reach.before is not None
    assert reach.after is not None
    return Band(some, some, some, some, reach.before.value, reach.after.value).enough


@pytest.mark.parametrize("profile", ["standard", "portable"])
@pytest.mark.parametrize("name", NEAR)
def test_exact_on_both_sides(name: str, profile: str):
    """Below a block, at the last length without blocks, the first with them, and no multiple of one."""
    last = most(STRUCTURES[name])
    for length in (1, 63, last, last + 1, 2 * last + 37):
        given = STRUCTURES[name].shaped(B=2, Q=length, K=length)
        assert error(given, Profile(profile), seed=5) <= TOLERANCE, length


@pytest.mark.parametrize(("queries", "start"), [(1, 199), (5, 195), (130, 70), (1, 0), (200, 0)])
@pytest.mark.parametrize("name", ["window", "chunks, causal", "shared keys"])
def test_queries_behind_a_past(name: str, queries: int, start: int):
    given = STRUCTURES[name].shaped(B=2, Q=queries, K=200, start=start)
    assert "If" in kinds(given)
    assert error(given, Profile()) <= TOLERANCE


@pytest.mark.parametrize("name", NEAR)
def test_the_length_decides_when_it_runs(name: str):
    assert kinds(STRUCTURES[name]).count("If") == 2, "one for the mask, one for the attention"


@pytest.mark.parametrize("name", FAR)
def test_what_reaches_far_has_no_blocks(name: str):
    assert "If" not in kinds(STRUCTURES[name])


def test_nothing_is_picked():
    given = STRUCTURES["global by data"].shaped(Q=200, K=200)
    x = operands(given)
    for table in x.tables.values():
        assert table is not None
        table.fill_(False)
    right, found = reference(given)(x.wide()), torch.from_numpy(attended(given, Profile(), x)).double()
    assert (found - right).abs().max() <= TOLERANCE * right.abs().max()


@pytest.mark.parametrize("share", [0.0, 0.02, 1.0])
@pytest.mark.parametrize("profile", ["standard", "portable"])
def test_chosen_queries(profile: str, share: float):
    """Those alone are computed: what the others get is a number, though nobody's."""
    given = STRUCTURES["chosen queries"].shaped(B=3, Q=50, K=50)
    x = operands(given)
    chosen = x.tables["t"]
    assert chosen is not None
    chosen.copy_(torch.rand(chosen.shape) < share)
    right, found = reference(given)(x.wide()), torch.from_numpy(attended(given, Profile(profile), x)).double()
    assert found.isfinite().all()
    rows = chosen[:, None, :, None]
    assert (torch.where(rows, found - right, 0.0)).abs().max() <= TOLERANCE * max(right.abs().max(), 1.0)
