"""Every operation has a verdict in every backend, and what nobody decided on is unsupported."""

from pathlib import Path
from typing import Any

import pytest

import archspec.backends
from archspec.backends.base import Lowered, Rule, Rules, Unsupported
from archspec.backends.onnx.ops import RULES as ONNX_RULES
from archspec.backends.torch.ops import RULES
from archspec.ir.op import REGISTRY, Op
from archspec.ir.ops.attention import Attention
from archspec.ir.ops.contract import Linear, Matmul
from archspec.ir.ops.loss import CrossEntropy, MeanError
from archspec.ir.ops.state import Append, Hold, Keep, Recall

BACKENDS: dict[str, Rules[Any, Any, Any]] = {"torch": RULES, "onnx": ONNX_RULES}


class Unheard(Op, frozen=True):
    """An operation that no backend knows."""


del REGISTRY[Unheard.name]  # not one of ours


def test_every_backend_is_walked():
    room = Path(archspec.backends.__file__).parent
    assert {path.parent.name for path in room.glob("*/__init__.py")} == set(BACKENDS)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("op", REGISTRY.values(), ids=REGISTRY)
def test_every_operation_has_a_verdict(op: type[Op], backend: str):
    assert op in BACKENDS[backend].decided
    match BACKENDS[backend].verdict(op):
        case Rule(write=write):
            assert callable(write)
        case Lowered(by=by):
            assert by
        case Unsupported(reason=reason):
            assert reason


def test_torch_leaves_attention_and_state_to_its_emitter():
    lowered = {op for op in REGISTRY.values() if isinstance(RULES.verdict(op), Lowered)}
    assert lowered == {Attention, Append, Hold, Recall, Keep}


def test_torch_computes_every_operation():
    assert not [op for op in REGISTRY.values() if isinstance(RULES.verdict(op), Unsupported)]


def test_onnx_computes_every_operation_but_losses():
    found = {op: ONNX_RULES.verdict(op) for op in REGISTRY.values()}
    assert {op for op, verdict in found.items() if isinstance(verdict, Unsupported)} == {
        CrossEntropy,
        MeanError,
    }
    assert not [op for op, verdict in found.items() if isinstance(verdict, Lowered)]


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_operation_nobody_decided_on_is_unsupported(backend: str):
    verdict = BACKENDS[backend].verdict(Unheard)
    assert verdict == Unsupported(f"the {backend} backend has no rule for 'unheard'")


def test_a_rule_is_the_function_it_decorates():
    rules: Rules[str, int, str] = Rules("toy")

    @rules.rule(Linear)
    def linear(op: Linear, operands: Any, context: str) -> str:
        return f"{context}: {op.name} of {len(operands)}"

    verdict = rules.verdict(Linear)
    assert isinstance(verdict, Rule)
    assert verdict.write is linear
    assert verdict.write(Linear(), (1, 2), "here") == "here: linear of 2"
    assert rules.decided == {Linear}


def test_verdicts_are_kept_as_they_are_given():
    rules: Rules[str, int, str] = Rules("toy")
    rules.lowered(Linear, by="a matmul and a sum")
    rules.unsupported(Matmul, "it has no matrices")
    assert rules.verdict(Linear) == Lowered("a matmul and a sum")
    assert rules.verdict(Matmul) == Unsupported("it has no matrices")


def test_nobody_decides_twice():
    rules: Rules[str, int, str] = Rules("toy")
    rules.lowered(Linear, by="a matmul")
    with pytest.raises(ValueError, match="the toy backend has two verdicts on 'linear'"):
        rules.unsupported(Linear, "too late")
    assert rules.verdict(Linear) == Lowered("a matmul")
