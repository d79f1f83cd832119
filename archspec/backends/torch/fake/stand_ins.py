"""What stands for functions of emitted source whose results only data gives."""

from __future__ import annotations

from archspec.backends.torch.fake.run import current
from archspec.backends.torch.fake.tensor import Tensor


def document_ends(ids: Tensor) -> list[list[int]] | None:
    """All rows [B, S] have as many documents as the run says, about as long as each other."""
    run, size = current(), ids.shape[1]
    run.assumed = True
    ends = sorted({i * size // run.picked for i in range(1, run.picked)} - {0})
    return [ends] if ends else None


STAND_INS = {"document_ends": document_ends}
