"""Inputs that exports are verified with."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import archspec
from archspec.analysis.sizes import Sizes
from archspec.errors import ArchspecError
from archspec.exporting import cases
from archspec.exporting.running import steps_of
from tests.checkpoints import DECODER

GRAPH = archspec.lower(archspec.load("gpt2", overrides=DECODER.params))
NAMES = frozenset({"input_ids", "attention_mask"})


def echo(given: Mapping[str, Any]) -> dict[str, Any]:
    return {"logits": given["input_ids"]}


def test_three_sizes_with_other_batch_and_length():
    made = cases.make(GRAPH, NAMES, echo, {})
    assert [dict(case.sizes) for case in made] == [{"B": 1, "S": 1}, {"B": 2, "S": 7}, {"B": 3, "S": 16}]
    assert [case.inputs["input_ids"].shape for case in made] == [(1, 1), (2, 7), (3, 16)]
    assert all(case.inputs["input_ids"].max() < 64 for case in made)


def test_one_row_ends_in_padding():
    made = cases.make(GRAPH, NAMES, echo, {})
    assert made[1].inputs["attention_mask"].tolist() == [[1] * 7, [1, 1, 1, 1, 1, 0, 0]]
    assert made[0].inputs["attention_mask"].tolist() == [[1]]


def test_lengths_stay_within_the_positions():
    short = archspec.lower(archspec.load("gpt2", overrides={**DECODER.params, "max_positions": 8}))
    assert [case.sizes["S"] for case in cases.make(short, NAMES, echo, {})] == [1, 7, 3]


def test_sizes_that_are_fixed_are_taken():
    made = cases.make(GRAPH, NAMES, echo, {"S": 5})
    assert [case.sizes["S"] for case in made] == [5, 5, 5]
    assert not np.array_equal(made[0].inputs["input_ids"], made[1].inputs["input_ids"][:1])


def test_a_model_that_takes_no_size_is_an_error():
    def never(given: Mapping[str, Any]) -> dict[str, Any]:
        raise RuntimeError("calculated padded input size is too small")

    with pytest.raises(ArchspecError, match="O006 .*padded input size"):
        cases.make(GRAPH, NAMES, never, {})


def test_pictures_are_of_the_size_that_the_spec_says():
    graph = archspec.lower(archspec.load("vit"))
    made = cases.inputs(graph, {"pixel_values"}, Sizes.of(graph, {"B": 2}), 0)
    assert made["pixel_values"].shape == (2, 3, 224, 224)
    assert made["pixel_values"].dtype == np.float32


def test_what_is_saved_is_read_again(tmp_path: Path):
    made = cases.make(GRAPH, NAMES, echo, {})
    cases.save(made, tmp_path / "c.npz")
    again = cases.load(GRAPH, tmp_path / "c.npz")
    assert len(again) == 3
    for one, other in zip(made, again, strict=True):
        assert one.inputs.keys() == other.inputs.keys()
        assert np.array_equal(one.inputs["attention_mask"], other.inputs["attention_mask"])
        assert np.array_equal(one.outputs["logits"], other.outputs["logits"])


def test_steps_cover_a_sequence_with_chunks_and_single_tokens():
    assert [list(steps_of(length)) for length in (1, 2, 7, 16)] == [
        [1],
        [2],
        [4, 1, 1, 1],
        [9, 1, 4, 1, 1],
    ]
    assert list(steps_of(7, singly=True)) == [4, 1, 1, 1]
    assert list(steps_of(16, singly=True)) == [9, *[1] * 7]
