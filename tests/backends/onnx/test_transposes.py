"""Weights are stored as they are read, and pairs of transposes that undo each other are gone."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from archspec.backends.onnx.tape import Tape
from archspec.backends.onnx.transposes import lay_out_weights, undo_pairs

WEIGHT = np.arange(6.0, dtype=np.float32).reshape(2, 3)


def model(tape: Tape, outputs: Sequence[ir.Value]) -> ir.Model:
    graph = ir.Graph(
        [], outputs, nodes=tape.nodes, initializers=list(tape.initializers.values()), opset_imports={"": 18}
    )
    return ir.Model(graph, ir_version=8)


def kinds(given: ir.Model) -> list[str]:
    return [node.op_type for node in given.graph]


def test_a_weight_with_one_reader_is_stored_turned():
    tape = Tape()
    weight = tape.initializer("w", ir.tensor(WEIGHT))
    made = model(tape, [tape.one("Neg", tape.one("Transpose", weight, perm=(1, 0)))])
    lay_out_weights(made)
    assert kinds(made) == ["Neg"]
    stored: Any = made.graph.initializers["w"].const_value
    assert np.array_equal(stored.numpy(), WEIGHT.T)


def test_a_weight_with_other_readers_keeps_its_layout():
    tape = Tape()
    weight = tape.initializer("w", ir.tensor(WEIGHT))
    turned = tape.one("Transpose", weight, perm=(1, 0))
    made = model(tape, [tape.one("Neg", turned), tape.one("Neg", weight)])
    lay_out_weights(made)
    assert sorted(kinds(made)) == ["Neg", "Neg", "Transpose"]


@pytest.mark.parametrize(
    ("axes", "wanted"), [((1,), WEIGHT[:, None]), ((-1, 0), WEIGHT[None, :, :, None])], ids=str
)
def test_a_weight_is_stored_with_the_axes_that_its_reader_adds(axes: tuple[int, ...], wanted: Any):
    tape = Tape()
    weight = tape.initializer("w", ir.tensor(WEIGHT))
    made = model(tape, [tape.one("Neg", tape.one("Unsqueeze", weight, tape.integers(*axes)))])
    lay_out_weights(made)
    assert kinds(made) == ["Neg"]
    assert list(made.graph.initializers) == ["w"]  # nobody reads the axes any more
    stored: Any = made.graph.initializers["w"].const_value
    assert np.array_equal(stored.numpy(), wanted)


def test_axes_are_no_weight():
    """A number that one Unsqueeze reads as its axis is not what it widens."""
    tape = Tape()
    turned = tape.one("Neg", tape.initializer("w", ir.tensor(WEIGHT)))
    made = model(tape, [tape.one("Abs", tape.one("Unsqueeze", turned, tape.integers(0)))])
    lay_out_weights(made)
    assert kinds(made) == ["Neg", "Unsqueeze", "Abs"]


def test_a_weight_that_is_given_back_stays_a_node():
    tape = Tape()
    made = model(tape, [tape.one("Unsqueeze", tape.initializer("w", ir.tensor(WEIGHT)), tape.integers(0))])
    lay_out_weights(made)
    assert kinds(made) == ["Unsqueeze"]


def test_bytes_in_a_checkpoint_are_not_ours_to_arrange(tmp_path: Path):
    tape = Tape()
    shape = ir.Shape([2, 3])
    outer = ir.ExternalTensor("f", 0, 24, ir.DataType.FLOAT, shape=shape, name="w", base_dir=tmp_path)
    made = model(tape, [tape.one("Neg", tape.one("Transpose", tape.initializer("w", outer), perm=(1, 0)))])
    lay_out_weights(made)
    assert kinds(made) == ["Transpose", "Neg"]


def test_what_undoes_the_one_before_is_gone():
    tape = Tape()
    x = tape.initializer("x", ir.tensor(np.ones((2, 3, 4))))
    there = tape.one("Transpose", x, perm=(1, 2, 0))
    made = model(tape, [tape.one("Neg", tape.one("Transpose", there, perm=(2, 0, 1)))])
    undo_pairs(made)
    assert kinds(made) == ["Neg"]


def test_what_does_not_undo_it_stays():
    tape = Tape()
    x = tape.initializer("x", ir.tensor(np.ones((2, 3, 4))))
    there = tape.one("Transpose", x, perm=(1, 2, 0))
    made = model(tape, [tape.one("Neg", tape.one("Transpose", there, perm=(1, 2, 0)))])
    undo_pairs(made)
    assert kinds(made) == ["Transpose", "Transpose", "Neg"]
    other = Tape()
    y = other.initializer("y", ir.tensor(np.ones((2, 3))))
    once = other.one("Transpose", y, perm=(1, 0))
    both = model(other, [other.one("Neg", once), other.one("Neg", other.one("Transpose", once, perm=(1, 0)))])
    undo_pairs(both)
    assert sorted(kinds(both)) == ["Neg", "Neg", "Transpose"]
