"""Attention in one operation, torch's own or generated kernels: which of its pairs are really computed."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from archspec.analysis.flops import Flops
from archspec.analysis.lines import Line

if TYPE_CHECKING:
    from archspec.backends.torch.fake.run import Kernel

_TORCHS, _GENERATED = "scaled_dot_product_attention", re.compile(r"attention_[0-9a-f]{12}(_backward)?")


def is_fused(operation: str) -> bool:
    """Whether an operation is a whole attention, which keeps no scores."""
    return operation == _TORCHS or is_generated(operation)


def is_generated(operation: str) -> bool:
    """Whether it is one of generated kernels."""
    return _GENERATED.fullmatch(operation) is not None


def shares(kernels: Iterable[Kernel], forward: Flops) -> Callable[[Kernel], float]:
    """Of what fused attentions count, all pairs, the share that their masks let through; of others 1.

    By the module that they stand in, and 1 where the pairs of its mask are not known. An attention that is
    computed in blocks counts these alone; a share is never above 1.
    """
    counted = Counter[str]()
    for kernel in kernels:
        if is_fused(kernel.name):
            counted[kernel.place] += kernel.flops
    known = dict[str, float]()
    for line in forward.lines:
        exact, form = line.forward.exact, _form(line)
        places = [place for place in counted if form.fullmatch(place)]
        total = sum(counted[place] for place in places)
        if line.kind == "attention" and isinstance(exact, int) and total:
            known |= dict.fromkeys(places, min(1.0, exact / total))
    return lambda kernel: known.get(kernel.place, 1.0) if is_fused(kernel.name) else 1.0


def _form(line: Line) -> re.Pattern[str]:
    """The places that a line's path stands for: `h.*.attn`, `h.0,2-5.attn`."""
    return re.compile(r"\.".join(map(_numbers, line.path.split("."))))


def _numbers(part: str) -> str:
    if part == "*":
        return r"\d+"
    if not part[:1].isdigit():
        return re.escape(part)
    ends = [list(map(int, span.split("-"))) for span in part.split(",")]
    return f"({'|'.join(str(n) for span in ends for n in range(span[0], span[-1] + 1))})"
