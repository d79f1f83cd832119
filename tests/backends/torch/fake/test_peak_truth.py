"""Peaks of inference beside those of the reference implementations: each difference is a list of tensors.

Source of `peaks.csv`: bytes of living storages, as `archspec.measuring.measure.LiveBytes` counts them, around
transformers and diffusers models on fake tensors, without parameters, buffers and inputs.
"""

import pytest

from archspec.backends.torch.fake.trace import Mode
from tests.backends.torch.fake.moments import WHY, Peak, Sizes, highest
from tests.backends.torch.fake.moments_images import unet, vae_decoder
from tests.backends.torch.fake.moments_text import bert, clip, gpt2, llama
from tests.backends.torch.fake.truth import DTYPES, inputs_of, subject, table

TEXT = {  # width, width of the MLP, heads of queries and of keys, vocabulary
    "bert-base": (bert, 768, 3072, 12, 12, 30522),
    "gpt2": (gpt2, 768, 3072, 12, 12, 50257),
    "llama-tiny": (llama, 256, 688, 8, 2, 1000),
    "llama2-7b": (llama, 4096, 11008, 32, 32, 32000),
    "sd15-text": (clip, 768, 3072, 12, 12, 49408),
}
ROWS = [(r["model"], r["attention"], r["dtype"], int(r["batch"]), int(r["length"]), int(r["peak"]))
        for r in table("peaks.csv")]  # fmt: skip


def expected(model: str, attention: str, item: int, batch: int, length: int) -> Peak:
    eager = attention == "eager"
    if model in TEXT:
        moments, *sizes = TEXT[model]
        return moments(Sizes(batch, length, *sizes, item=item), eager)
    return unet(item, eager) if model == "sd15-unet" else vae_decoder(item)


@pytest.mark.parametrize(("model", "attention", "dtype", "batch", "length", "peak"), ROWS)
def test_peak_of_inference(model: str, attention: str, dtype: str, batch: int, length: int, peak: int):
    found = expected(model, attention, 4 if dtype == "fp32" else 2, batch, length)
    inputs = inputs_of(model, batch, length, DTYPES[dtype])
    trace = subject(model, attention).trace(inputs, Mode(dtype=DTYPES[dtype]))
    explained = found.difference()
    assert trace.peak == peak + sum(explained.values())
    assert peak == sum(highest(found.reference).values())
    assert explained.keys() <= WHY.keys()


def test_all_rows_are_there():
    assert len(ROWS) == 36
