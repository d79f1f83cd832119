"""Forward and cached decoding of the library's models against transformers, same weights and attention."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers

import archspec
from benchmarks.pairs import Pair, paired, show


def twins(spec: str, reference: Any, attention: str) -> Any:
    """Our model with the reference's weights."""
    with tempfile.TemporaryDirectory() as folder:
        reference.save_pretrained(folder)
        return archspec.compile(spec, attention=attention, weights=Path(folder))


def same(ours: Callable[[], torch.Tensor], theirs: Callable[[], torch.Tensor], atol: float = 2e-3) -> None:
    """Both give the same."""
    torch.testing.assert_close(ours(), theirs(), atol=atol, rtol=1e-3)


def bert(repeats: int, threads: int) -> None:
    """BERT base, masked-language-model head, fp32."""
    torch.set_num_threads(threads)
    rows: dict[str, Pair] = {}
    for attention in ("eager", "sdpa"):
        config = transformers.BertConfig(attn_implementation=attention)
        theirs = transformers.BertForMaskedLM(config).eval()
        ours = twins("bert", theirs, attention)
        for batch, length in ((1, 128), (8, 128), (1, 512)):
            ids = torch.randint(0, config.vocab_size, (batch, length))
            rows[f"{attention} forward b{batch} s{length}"] = compare_forward(ours, theirs, ids, repeats)
    show(f"bert base, fp32, {threads} thread(s)", rows, "transformers")


def compare_forward(ours: Any, theirs: Any, ids: torch.Tensor, repeats: int, atol: float = 2e-3) -> Pair:
    """The same batch through both."""
    with torch.inference_mode():
        same(lambda: ours(ids), lambda: theirs(ids).logits, atol)
        return paired(lambda: ours(ids), lambda: theirs(ids), repeats)


def gpt2(repeats: int, threads: int) -> None:
    """GPT-2 124M, fp32: prefill, and single tokens on a cache of 256."""
    torch.set_num_threads(threads)
    rows: dict[str, Pair] = {}
    for attention in ("eager", "sdpa"):
        config = transformers.GPT2Config(attn_implementation=attention)
        theirs = transformers.GPT2LMHeadModel(config).eval()
        ours = twins("gpt2", theirs, attention)
        for batch, length in ((1, 128), (1, 512), (4, 128)):
            ids = torch.randint(0, config.vocab_size, (batch, length))
            rows[f"{attention} forward b{batch} s{length}"] = compare_forward(ours, theirs, ids, repeats)
        rows[f"{attention} decode b1 at 256"] = _decode(ours, theirs, config.vocab_size, repeats)
    show(f"gpt2 124M, fp32, {threads} thread(s)", rows, "transformers")


def _decode(ours: Any, theirs: Any, vocab: int, repeats: int, steps: int = 16) -> Pair:
    """`steps` tokens one by one, behind a prefill of 256 that is not timed."""
    prompt = torch.randint(0, vocab, (1, 256))
    tokens = torch.randint(0, vocab, (1, repeats * 4 + 8, steps))
    with torch.inference_mode():
        cache = ours.make_cache(256 + steps)
        ours(prompt, cache=cache)
        past = theirs(prompt, use_cache=True).past_key_values

        def our_steps() -> torch.Tensor:
            for layer in cache:
                layer.length = 256
            return torch.cat([ours(tokens[:, 0, i : i + 1], cache=cache) for i in range(steps)], dim=1)

        def their_steps() -> torch.Tensor:
            outputs = [
                theirs(tokens[:, 0, i : i + 1], past_key_values=past, use_cache=True).logits
                for i in range(steps)
            ]
            past.crop(-steps)
            return torch.cat(outputs, dim=1)

        same(our_steps, their_steps)
        return paired(our_steps, their_steps, repeats)
