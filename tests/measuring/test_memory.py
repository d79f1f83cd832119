"""What does not fit the machine is refused before it is made."""

import pytest

import archspec
from archspec.errors import ArchspecError
from archspec.measuring import memory
from archspec.reports.question import Question
from tests.measuring.tiny import FP32, account, spec


def test_a_run_needs_its_weights_and_its_peak():
    found = account(spec())
    forward = memory.needed(found, training=False)
    assert forward == int(1.25 * (found.parameters.bytes() + found.inference.peak))
    assert memory.needed(found, training=True) > forward
    assert memory.refusal(found, training=False, free=forward) == ""
    assert "are free here" in memory.refusal(found, training=False, free=forward - 1)


def test_this_machine_says_what_is_free():
    free, total = memory.available(), memory.physical()
    assert free is not None
    assert total is not None
    assert 1 << 20 < free <= total


def test_a_large_model_is_refused_with_a_hint():
    large = archspec.load("llama", preset="405b")
    with pytest.raises(ArchspecError) as error:
        archspec.profile(large, Question(sizes={"B": 1, "S": 4096}, **FP32))
    (found,) = error.value.diagnostics
    assert found.code == "A020"
    assert found.hint is not None
    assert "S=1024" in found.hint
