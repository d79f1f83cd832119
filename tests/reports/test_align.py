"""Where the operations of a run and of its prediction part."""

from archspec.backends.torch.fake.run import Kernel
from archspec.backends.torch.fake.trace import Saved
from archspec.backends.torch.observed import Ran
from archspec.reports.align import differing_allocation, differing_product, differing_saved


def kernel(name: str, flops: int, written: int) -> Kernel:
    return Kernel(name, "h.0", flops, 0, written, "float32")


PREDICTED = [kernel("mm", 8, 64), kernel("logsumexp", 0, 16), kernel("attention", 4, 32), kernel("mm", 2, 64)]
RAN = [Ran("mm", 8, 64), Ran("view_of_nothing", 0, 0), Ran("fused", 4, 48), Ran("mm", 2, 64)]


def test_equal_runs_differ_nowhere():
    """One operation may be several of the other side, as long as they come to the same bytes."""
    assert differing_product(PREDICTED, RAN) == ""
    assert differing_allocation(PREDICTED, RAN) == ""


def test_the_first_product_that_differs():
    assert differing_product(PREDICTED, [*RAN[:3], Ran("bmm", 3, 64)]) == (
        "product 3: predicted mm in h.0: 2 FLOP; ran bmm: 3 FLOP"
    )
    assert differing_product(PREDICTED, RAN[:3]) == "product 3: predicted mm in h.0: 2 FLOP; ran nothing"
    assert differing_product(PREDICTED[:3], RAN) == "product 3: predicted nothing; ran mm: 2 FLOP"


def test_the_first_allocation_that_differs():
    longer = [*RAN, Ran("cat", 0, 8)]
    assert differing_allocation(PREDICTED, longer) == "predicted nothing; ran cat: 8 B"
    wider = [Ran("mm", 8, 72), *RAN[1:]]
    assert differing_allocation(PREDICTED, wider) == "predicted mm in h.0: 64 B; ran mm: 72 B"


def test_the_tensors_that_differ_most():
    saved = [Saved(64, "activation", "h.0", "addmm", "self", (4, 4), "float32")]
    key, other = ("activation", 16, "float32"), ("parameter", 4, "float32")
    assert differing_saved(saved, {key: 64}, {key: 64}) == ""
    said = differing_saved(saved, {key: 128, other: 16}, {key: 64})
    assert said == (
        "+64 B of activation tensors of 16 float32, predicted for h.0: addmm, self; "
        "+16 B of parameter tensors of 4 float32, none was predicted"
    )
