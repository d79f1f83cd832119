"""One table of cases per family of operations."""

from tests.backends.torch.ops.cases import (
    attention,
    contract,
    elementwise,
    loss,
    norm,
    recurrence,
    reduce,
    shape,
    source,
    spatial,
)

FAMILIES = (source, shape, elementwise, reduce, recurrence, contract, norm, spatial, attention, loss)
CASES = [case for family in FAMILIES for case in family.CASES]
