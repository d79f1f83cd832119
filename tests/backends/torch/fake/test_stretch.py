"""Layers that are alike run once: everything a run shows is what running all of them shows."""

from collections import Counter
from typing import Any

import pytest

from archspec import api
from archspec.backends.torch.fake.run import Run
from archspec.backends.torch.fake.trace import Inputs, Mode, Subject, Trace
from archspec.backends.torch.fake.traced import Training

SOURCE = """
import torch
import torch.nn.functional as F
from torch import nn

__all__ = ["Model"]
RUNS = []
ELSEWHERE = []


class Layer(nn.Module):
    def __init__(self, width, scale):
        super().__init__()
        self.up, self.down, self.scale = nn.Linear(4, width), nn.Linear(width, 4), scale

    def forward(self, x, other=None):
        RUNS.append(1)
        y = F.gelu(self.up(x))
        {inner}


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        widths = {widths}
        self.layers = nn.ModuleList([Layer(width, 2.0) for width in widths])
        self.rest = nn.Parameter(torch.empty(4))

    def forward(self, x):
        first, seen = x * self.rest, []
        ELSEWHERE[:] = [first * 2.0]
        x = first
        for layer in self.layers:
            {outer}
        return x
"""
X: Inputs = {"x": ((3, 4), "float32")}
CHAIN = "x = layer(x)"
WAYS = {
    "a chain": ("return x + self.down(y)", CHAIN),
    "without skips": ("return self.down(y)", CHAIN),
    "skips around": ("return self.down(y)", "x = x + layer(x)"),
    "skips to all": ("return self.down(y)", "seen.append(layer(x)); x = sum(seen, first)"),
    "another tensor": ("return x + self.down(y) * other", "x = layer(x, other=first)"),
    "the same twice": ("return self.down(y) * other", "x = layer(x, x)"),
    "a view of what it is given": ("return x + self.down(y) * other", "x = layer(x, x.view(12).view(3, 4))"),
    "the same layers twice": ("return x + self.down(y)", "x = layer(layer(x))"),
    "a result that is a view": ("return (x + self.down(y)).view(4, 3).view(3, 4)", CHAIN),
    "its input": ("return x", "x = layer(x + 1.0) * 2.0"),
    "only some of the input": ("return torch.cat((x[:1], self.down(y)[1:]))", CHAIN),
    "two results": ("return x + self.down(y), y", "x, _ = layer(x)"),
    "a tensor from elsewhere": ("return x + self.down(y) * ELSEWHERE[0]", CHAIN),
    "something left elsewhere": ("ELSEWHERE.append(y); return x + self.down(y)", CHAIN),
    "written in place": ("x = x.clone(); x[:1] = self.down(y)[:1]; return x", CHAIN),
    "its input written": ("z = self.down(y); x[:1] = z[:1]; return x * 2.0", "x = layer(x * 1.0)"),
    "no gradient": ("return x.detach()", "x = x + layer(x)"),
    "dropout": ("return x + F.dropout(self.down(y), 0.1, self.training)", CHAIN),
    "results that nobody reads": ("z = torch.exp(y); return x + self.down(y)", "layer(x); x = layer(x)"),
}  # fmt: skip
SPECS: dict[str, tuple[dict[str, Any], Inputs]] = {
    "gpt2": ({}, {"input_ids": ((2, 9), "int64")}),
    "llama": ({}, {"input_ids": ((1, 9), "int64")}),
    "mixtral": ({"num_layers": 4}, {"input_ids": ((1, 30), "int64")}),
    "t5": ({}, {"input_ids": ((1, 9), "int64"), "decoder_input_ids": ((1, 7), "int64")}),
    "mamba": ({}, {"input_ids": ((1, 12), "int64")}),
    "albert": ({}, {"input_ids": ((1, 9), "int64")}),
    "convnext": ({}, {"pixel_values": ((1, 3, 64, 64), "bfloat16")}),
}


def told(found: Trace) -> list[Any]:
    fields = {name: getattr(found, name) for name in found.__struct_fields__}
    return [Counter(fields.pop("saved")), fields]


def compared(source: str, inputs: Inputs, mode: Mode) -> None:
    one, all_ = Subject(source, "model"), Subject(source, "model", repeats=False)
    assert told(one.trace(inputs, mode)) == told(all_.trace(inputs, mode))
    found, wanted = one.train(inputs, mode), all_.train(inputs, mode)
    assert told(found.forward) == told(wanted.forward)
    assert step(found) == step(wanted)


def step(found: Training) -> list[Any]:
    return [found.peak, found.peak_at, found.gradients, found.kernels]


def written(way: str, widths: list[int]) -> str:
    inner, outer = WAYS[way]
    return SOURCE.replace("{inner}", inner).replace("{outer}", outer).replace("{widths}", str(widths))


@pytest.mark.parametrize("widths", [[8] * 6, [8, 8, 5, 8, 5, 5, 8]], ids=["alike", "two kinds"])
@pytest.mark.parametrize("way", WAYS)
def test_ways_to_use_a_layer(way: str, widths: list[int]):
    compared(written(way, widths), X, Mode(dropout=True))


@pytest.mark.parametrize("spec", SPECS)
def test_library_specs(spec: str):
    overrides, inputs = SPECS[spec]
    source = api.source(api.load(spec, overrides=overrides))
    compared(source, inputs, Mode(dtype="bfloat16", device="cuda"))


def test_what_turns_out_not_to_be_alike_is_run_again():
    """The source holds on to a tensor, which a backward pass then does not free."""
    source = written("results that nobody reads", [8] * 6).replace("[first * 2.0]", "[first]")
    compared(source, X, Mode())


def test_layers_that_are_alike_run_once():
    found = Subject(written("a chain", [8] * 50), "model")
    runs: list[int] = found._scope["RUNS"]  # pyright: ignore[reportPrivateUsage]  # what the source counts
    trace = found.trace(X)
    assert (len(runs), len(trace.kernels)) == (1, 2 + 50 * 4)
    assert {k.place for k in trace.kernels} > {"layers.49", "layers.49.up"}


def test_what_cannot_be_told_is_run_every_time():
    found = Subject(written("a tensor from elsewhere", [8] * 5), "model")
    runs: list[int] = found._scope["RUNS"]  # pyright: ignore[reportPrivateUsage]  # the same
    found.trace(X, Mode(gradients=True))
    assert len(runs) == 5
    assert Run().alike is None
