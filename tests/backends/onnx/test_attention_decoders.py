"""Decoders step by step in ONNX Runtime against torch, eager, on everything at once."""

from pathlib import Path

import numpy as np
import pytest

from archspec.backends.onnx.profile import Profile
from tests.backends.onnx.decoders import DECODERS, PADDED, Decoder, left, ones, right

# fp32: sums in another order, through two layers. fp16: 11 bits, and two layers of sums of 32 products.
TOLERANCE = {"float32": 1e-5, "float16": 1e-2}
STEPS = {
    "one position": [1],
    "odd": [7],
    "one by one": [1, 1, 1],
    "prefill, then one by one": [6, 1, 1],
    "chunks with a past": [5, 3, 1, 4],
    "beyond a block": [70, 1, 67, 1],
}
STANDARD = ("wide values", "slopes", "slopes without padding", "turned side by side in part")
PADDINGS = {"none": ones, "left": left, "right": right}


@pytest.mark.parametrize("profile", ["standard", "portable"])
@pytest.mark.parametrize("name", DECODERS)
def test_steps_are_the_whole(name: str, profile: str, tmp_path: Path):
    decoder = Decoder(DECODERS[name], Profile(profile), tmp_path)
    for word, lengths in STEPS.items():
        for side, padding in PADDINGS.items():
            if side != "none" and ("attention_mask" not in DECODERS[name] or sum(lengths) < 3):
                continue
            for batch in (1, 3):
                mask = padding(batch, sum(lengths))
                assert decoder.distance(lengths, mask) <= TOLERANCE["float32"], (word, side, batch)


@pytest.mark.parametrize("profile", ["standard", "portable"])
@pytest.mark.parametrize("name", DECODERS)
def test_half_precision(name: str, profile: str, tmp_path: Path):
    decoder = Decoder(DECODERS[name], Profile(profile, "float16"), tmp_path)
    assert decoder.distance([5, 3, 1], ones(2, 9)) <= TOLERANCE["float16"]


@pytest.mark.parametrize("profile", ["standard", "portable", "genai"])
@pytest.mark.parametrize("name", DECODERS)
def test_without_a_past(name: str, profile: str, tmp_path: Path):
    decoder = Decoder(DECODERS[name], Profile(profile), tmp_path, mode="full")
    for length in (1, 7, 150):
        assert decoder.distance([length], ones(2, length)) <= TOLERANCE["float32"], length


def test_the_operator_keeps_the_cache(tmp_path: Path):
    """One node for past, keys and present; `is_causal` counts from the end of the past."""
    found = Decoder(DECODERS["one head of keys"], Profile(), tmp_path)
    assert found.kinds.count("Attention") == 2
    assert not {"Concat", "Transpose", "LessOrEqual", "Expand"} & {*found.kinds}


def test_a_mask_is_made_once(tmp_path: Path):
    assert Decoder(PADDED, Profile(), tmp_path).kinds.count("LessOrEqual") == 1


@pytest.mark.parametrize("name", [name for name in DECODERS if name not in STANDARD])
def test_buffers_of_generation(name: str, tmp_path: Path):
    """GroupQueryAttention: chunks of one row, and prompts of several rows with padding on the right."""
    decoder = Decoder(DECODERS[name], Profile("genai"), tmp_path)
    assert decoder.kinds.count("GroupQueryAttention") == 2
    for lengths in ([1], [7], [5, 3, 1, 4], [70, 1, 67, 1]):
        assert decoder.distance(lengths, ones(1, sum(lengths))) <= TOLERANCE["float32"], lengths
    assert decoder.distance([6, 1, 1], ones(3, 8)) <= TOLERANCE["float32"]
    if "attention_mask" in DECODERS[name]:
        assert decoder.distance([9], right(3, 9)) <= TOLERANCE["float32"]


@pytest.mark.parametrize("name", ["padded", "window", "window with sinks"])
def test_rows_of_different_lengths_generate(name: str, tmp_path: Path):
    """A row that is shorter goes on behind its own last token, as if it were alone."""
    decoder = Decoder(DECODERS[name].replace(", rope: {}", ""), Profile("genai"), tmp_path)
    x = np.random.default_rng(0).standard_normal((2, 12, 32)).astype(np.float32)
    mask = ones(2, 12)
    mask[0, 6:9] = 0
    found = decoder.steps(x, mask, [9, 1, 1, 1])[0, mask[0] == 1]
    alone = decoder.whole(x[:1, mask[0] == 1], ones(1, 9))[0]
    assert np.abs(found - alone).max() <= TOLERANCE["float32"] * np.abs(alone).max()


@pytest.mark.parametrize("name", STANDARD)
def test_what_the_buffers_cannot_do_is_standard(name: str, tmp_path: Path):
    decoder = Decoder(DECODERS[name], Profile("genai"), tmp_path)
    assert decoder.kinds.count("Attention") == 2
    padding = left if "attention_mask" in DECODERS[name] else ones
    assert decoder.distance([5, 3, 1], padding(2, 9)) <= TOLERANCE["float32"]
