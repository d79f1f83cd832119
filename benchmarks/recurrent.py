"""Forward and decoding of recurrent models against transformers' slow path, same weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import transformers

from benchmarks.forward import compare_forward, same, twins
from benchmarks.pairs import Pair, paired, show

# The reference itself is 5e-3 from its own result in fp64: small differences grow through 24 recurrences.
NOISE = 2e-2


def mamba(repeats: int, threads: int) -> None:
    """Mamba 130M, fp32: prefill, and single tokens behind 256. The reference loops over tokens in Python."""
    torch.set_num_threads(threads)
    config = transformers.MambaConfig(
        num_hidden_layers=24, use_mambapy=False, use_associative_scan=False, use_cache=False
    )
    theirs = transformers.MambaForCausalLM(config).eval()
    ours, rows = twins("mamba", theirs, "sdpa"), dict[str, Pair]()
    for length in (512, 2048):
        ids = torch.randint(0, config.vocab_size, (1, length))
        rows[f"forward b1 s{length}"] = compare_forward(ours, theirs, ids, max(2, repeats // 4), NOISE)
    rows["decode b1 behind 256"] = _decode(ours, theirs, config.vocab_size, repeats)
    show(f"mamba 130M, fp32, {threads} thread(s)", rows, "transformers")


def _decode(ours: Any, theirs: Any, vocab: int, repeats: int, steps: int = 16) -> Pair:
    """`steps` tokens one by one, behind a prefill of 256 that is not timed; both go on from call to call."""
    prompt, tokens = torch.randint(0, vocab, (1, 256)), torch.randint(0, vocab, (steps, 1, 1))
    with torch.inference_mode():
        cache = ours.make_cache(256 + steps)
        ours(prompt, cache=cache)
        past = theirs(prompt, use_cache=True).cache_params

        def theirs_next(token: torch.Tensor) -> torch.Tensor:
            return theirs(token, cache_params=past, use_cache=True).logits

        our_steps = _all(lambda token: ours(token, cache=cache), tokens)
        their_steps = _all(theirs_next, tokens)
        same(our_steps, their_steps, NOISE)
        return paired(our_steps, their_steps, repeats)


def _all(step: Callable[[torch.Tensor], torch.Tensor], tokens: torch.Tensor) -> Callable[[], torch.Tensor]:
    return lambda: torch.cat([step(token) for token in tokens], dim=1)
