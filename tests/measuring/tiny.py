"""Small models for what is measured here, and a device that is none."""

from typing import Any

import archspec
from archspec.analysis.device import Device, Figure, Reference
from archspec.measuring.verify import on_cpu
from archspec.reports.account import Account
from archspec.reports.question import Question
from archspec.spec.spec import Spec
from tests.parity.catalog import ALL

GPT2 = {"num_layers": 2, "hidden_size": 16, "num_heads": 2, "vocab_size": 37, "max_positions": 32}
SIZES = {"B": 2, "S": 8}
FP32: Any = {"dtype": "float32", "precision": "fp32"}
_SOURCE = Reference("a test", "tests/measuring/tiny.py")
SLOW = Device(
    "slow",
    "a slow device",
    {"fp32": Figure(1e10, _SOURCE)},
    memory=Figure(1.6e10, _SOURCE),
    memory_bandwidth=Figure(1e10, _SOURCE),
)


def spec(**changed: object) -> Spec:
    return archspec.load("gpt2", overrides={**GPT2, **changed})


def account(loaded: Spec, sizes: dict[str, int] | None = None, **asked: Any) -> Account:
    """An account of what can be measured on a CPU."""
    question = Question(sizes=SIZES if sizes is None else sizes, **{**FP32, **asked})
    return Account(archspec.lower(loaded), on_cpu(question))


def of(name: str) -> Spec:
    """A library spec at the tiny sizes of the parity tests."""
    model = next(model for model in ALL if model.spec == name)
    return archspec.load(name, preset=model.preset, overrides=model.params)
