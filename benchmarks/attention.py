"""Attention in parts: by blocks or documents, under a whole mask, causal, by FlexAttention. Time and memory.

One layer of 4 heads of 64 over 4,096 tokens that see themselves and 511 before, or what is before them in
their own of 8 documents of 128 to 1,024 tokens; queries, keys and values lie as projections leave them. Masks
are made once, as for all layers of a model.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.attention.flex_attention import create_block_mask, flex_attention

from archspec.backends.torch.runtime.documents import Documents, document_attention, documents_over
from archspec.backends.torch.runtime.windows import Windows, seen, window_attention, windows_over
from archspec.measuring.measure import LiveBytes, key_of
from benchmarks.pairs import heading, line, paired

HEADS, WIDTH, LENGTH, WINDOW = 4, 64, 4096, 512
DOCUMENTS = (1024, 640, 128, 512, 384, 768, 256, 384)
LENGTHS = (4096, 8192, 16384, 32768)  # for memory
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
IDS = torch.arange(len(DOCUMENTS)).repeat_interleave(torch.tensor(DOCUMENTS))
Attention = Callable[[Tensor, Tensor, Tensor], Tensor]


def run(repeats: int, threads: int) -> None:
    """Windows and documents, each forward, and forward and backward; then bytes by length of windows."""
    torch.set_num_threads(threads)
    small = f"{LENGTH} tokens, {threads} thread(s), {repeats} pairs each"
    print(heading(f"attention by blocks, window {WINDOW}, {small}", "peer"))
    _compare(banded(LENGTH), peers(near), repeats, threads)
    print(heading(f"attention by documents, {len(DOCUMENTS)} of them, {small}", "peer"))
    _compare(by_documents(), peers(same_document), repeats, threads)
    _memory()


def _compare(ours: Attention, rivals: dict[str, Attention], repeats: int, threads: int) -> None:
    clock = time.process_time if threads == 1 else time.perf_counter
    for name, dtype in DTYPES.items():
        for run in (forward, training):
            timed = run(ours, drawn(LENGTH, dtype))
            for rival, peer in rivals.items():
                if run is training and rival == "compiled flex":
                    continue  # torch has no backward pass of it on a CPU
                case = f"{name} {run.__name__}, {rival}"
                try:
                    pair = paired(timed, run(peer, drawn(LENGTH, dtype)), repeats, clock)
                except RuntimeError as error:  # no compiler for it
                    print(f"{case}: not run: {str(error).splitlines()[0]}", flush=True)
                else:
                    print(line(case, pair), flush=True)


def drawn(length: int, dtype: torch.dtype) -> tuple[Tensor, ...]:
    """Queries, keys and values [1, H, S, E], of memory [1, S, H, E]."""
    make = torch.Generator().manual_seed(length)
    rows = (torch.randn(1, length, HEADS, WIDTH, generator=make).to(dtype) for _ in range(3))
    return tuple(x.transpose(1, 2) for x in rows)


def window_mask(length: int) -> Tensor | Windows:
    """What the emitted function of `causal and window(512)` gives."""
    windows = windows_over(0, length, length, WINDOW - 1, 0)
    q, k, there = windows.places(torch.device("cpu"))
    return seen(windows, there & (k <= q) & (q - k < WINDOW))


def banded(length: int) -> Attention:
    mask = window_mask(length)
    return lambda q, k, v: window_attention(q, k, v, mask)


def by_documents() -> Attention:
    parts = documents_over(IDS[None], 0, LENGTH, causal=True)
    assert isinstance(parts, Documents)
    return lambda q, k, v: document_attention(q, k, v, parts)


def near(q: Tensor, k: Tensor) -> Tensor:
    return (k <= q) & (q - k < WINDOW)


def same_document(q: Tensor, k: Tensor) -> Tensor:
    return (k <= q) & (IDS[q] == IDS[k])


def peers(rule: Callable[[Tensor, Tensor], Tensor]) -> dict[str, Attention]:
    """What else computes attention under a rule of positions of queries and keys."""
    place = torch.arange(LENGTH)
    mask = rule(place[:, None], place)

    def inside(b: Tensor, h: Tensor, q: Tensor, k: Tensor) -> Tensor:
        return rule(q, k)

    blocks = create_block_mask(inside, None, None, LENGTH, LENGTH, device="cpu")
    flex = torch.compile(flex_attention)
    return {
        "boolean mask": lambda q, k, v: F.scaled_dot_product_attention(q, k, v, mask),
        "dense causal": lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True),
        "compiled flex": lambda q, k, v: flex(q, k, v, block_mask=blocks),
    }


def forward(attend: Attention, given: tuple[Tensor, ...]) -> Callable[[], object]:
    q, k, v = given
    return torch.no_grad()(lambda: attend(q, k, v))


def training(attend: Attention, given: tuple[Tensor, ...]) -> Callable[[], object]:
    """Forward and backward."""
    q, k, v = (x.detach().requires_grad_() for x in given)
    ones = torch.ones_like(q)
    return lambda: torch.autograd.grad(attend(q, k, v), (q, k, v), ones)


def _memory() -> None:
    """Peak of live bytes besides the operands, the mask included: per token it should stay the same."""
    print(f"\nmost bytes alive per token, fp32, of {HEADS * WIDTH * 4} in each of q, k and v")
    print(f"{'tokens':>8} {'forward':>10} {'training':>10}")
    for length in LENGTHS:
        peaks = [_peak(run, length) / length for run in (forward, training)]
        print(f"{length:8} {peaks[0]:10.0f} {peaks[1]:10.0f}", flush=True)


def _peak(run: Callable[[Attention, tuple[Tensor, ...]], Callable[[], object]], length: int) -> int:
    given = drawn(length, torch.float32)
    known = {key_of(x) for x in given}
    with LiveBytes(known) as live:
        run(lambda q, k, v: banded(length)(q, k, v), given)()
    return live.peak
