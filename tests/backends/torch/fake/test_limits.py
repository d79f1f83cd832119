"""What only data says, and what nobody has described: said, never counted as nothing."""

import subprocess
import sys

import pytest

from archspec.backends.torch.fake.namespace import torch_on_shapes
from archspec.backends.torch.fake.run import Run, running
from archspec.backends.torch.fake.trace import Subject
from archspec.errors import UnsupportedError

SOURCE = """
import torch
from torch import nn

__all__ = ["Model"]


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(3, 4))

    def forward(self, x):
        return {}
"""
X = {"x": ((2, 3), "float32")}


def subject(result: str) -> Subject:
    return Subject(SOURCE.replace("{}", result), "model")


@pytest.mark.parametrize(
    "call", ["torch.fft(x)", "x.frobnicate()", "torch.linalg.norm(x)", "nn.functional.glu(x)"]
)
def test_an_unknown_function(call: str):
    with pytest.raises(
        UnsupportedError, match=r"A011 nobody has said yet what torch's '\w+' allocates"
    ) as raised:
        subject(call).trace(X)
    assert raised.value.diagnostics[0].hint == "please report the spec"


def test_a_number_that_only_data_gives():
    with pytest.raises(UnsupportedError, match="A010 the model: how many elements are not 0"):
        subject("x.nonzero()").trace(X)


def test_a_mask_is_taken_to_be_all_true_and_that_is_said():
    trace = subject("(x[0] > 0).nonzero()").trace(X)
    assert (trace.outputs, trace.assumed) == (3 * 8, True)
    assert not subject("x @ self.weight").trace(X).assumed


def test_what_is_scattered_is_known_and_spread_evenly():
    torch = torch_on_shapes()
    with running(Run()) as run:
        index = torch.zeros(6, 2, dtype=torch.int64)
        filled = torch.zeros(6, 4).scatter(1, index, torch.ones(6, 2))
        counts = [len(filled[:, column].nonzero()) for column in range(4)]
    assert counts == [3, 3, 3, 3]
    assert run.assumed


def test_what_is_alive_at_the_peak():
    found = subject("torch.exp(x @ self.weight)")
    alive = found.alive_at_peak(X)
    assert [(a.operation, a.nbytes) for a in alive] == [("mm", 32), ("exp", 32)]
    assert sum(a.nbytes for a in alive) == found.trace(X).peak


def test_it_needs_no_torch():
    code = "import sys, archspec.backends.torch.fake.trace\nprint(sys.modules.keys() & {'torch', 'numpy'})"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout, done.stderr) == ("set()\n", "")
