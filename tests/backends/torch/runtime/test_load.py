"""Emitted text as a module: the text itself runs, shows in tracebacks and can be pickled."""

import inspect
import pickle
import sys
import traceback

import pytest
import torch

from archspec.backends.torch.runtime.load import module_from_source
from archspec.errors import InternalError

TEXT = """\
import torch
from torch import nn

__all__ = ["Model"]


class Model(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x / self.gone
"""


def test_the_module_is_the_text():
    module = module_from_source(TEXT, "a-model.v1")
    assert module.__name__.startswith("archspec_emitted_a_model_v1_")
    assert sys.modules[module.__name__] is module
    assert inspect.getsource(module.Model) == TEXT[TEXT.index("class") :]


def test_two_of_one_name_are_two():
    one, other = (module_from_source(TEXT, "same") for _ in range(2))
    assert one.__name__ != other.__name__
    assert one.Model is not other.Model


def test_tracebacks_show_the_emitted_line():
    model = module_from_source(TEXT, "m").Model()
    with pytest.raises(AttributeError) as error:
        model(torch.ones(1))
    assert "return x / self.gone" in "".join(traceback.format_exception(error.value))


def test_models_can_be_pickled():
    model = module_from_source(TEXT, "m").Model()
    assert type(pickle.loads(pickle.dumps(model))) is type(model)


@pytest.mark.parametrize(("text", "line"), [("a = 1\nb = (\n", 2), ("a = '\0'", 1)])
def test_text_that_is_no_python_is_our_fault(text: str, line: int):
    with pytest.raises(InternalError) as error:
        module_from_source(text, "bad")
    (found,) = error.value.diagnostics
    assert found.code == "I200"
    assert found.span is not None
    assert found.span.line == line


def test_a_module_that_fails_is_not_kept():
    before = set(sys.modules)
    with pytest.raises(ZeroDivisionError):
        module_from_source("1 / 0", "bad")
    assert set(sys.modules) == before
