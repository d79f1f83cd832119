"""Pads in a row, and rolls in a row, are one call; the numbers are those of several."""

from pathlib import Path

import pytest
import torch

from archspec import api

HEAD = """archspec: 1
name: case
inputs: {x: "[B, H, W, 4]"}
outputs: {y: y}
model:
"""
WRITTEN = {
    "pad(pad(x, 1, 1, 0), 2, 0, 2)": "F.pad(x, (0, 0, 0, 2, 1, 0))",
    "pad(pad(x, 1, 1, 0), 2, 0, 0)": "F.pad(x, (0, 0, 0, 0, 1, 0))",
    "pad(pad(x, 1, 1, 0), 2, 0, 2, value=1)": "F.pad(F.pad(x, (0, 0, 0, 0, 1, 0)), (0, 0, 0, 2), value=1)",
    "pad(pad(x, 1, 1, 0), 1, 0, 2)": "F.pad(F.pad(x, (0, 0, 0, 0, 1, 0)), (0, 0, 0, 0, 0, 2))",
    "roll(pad(x, 1, 1, 0), 1, axis=2)": "F.pad(x, (0, 0, 0, 0, 1, 0)).roll(1, 2)",
    "roll(roll(x, 1, axis=1), -2, axis=2)": "x.roll((1, -2), (1, 2))",
    "roll(roll(roll(x, 1, axis=1), -2, axis=2), 3, axis=-1)": "x.roll((1, -2, 3), (1, 2, 3))",
    "roll(roll(x, 1, axis=1), -2, axis=1)": "x.roll(1, 1).roll(-2, 1)",
}


@pytest.mark.parametrize("given", WRITTEN)
def test_moves_in_a_row_are_one(given: str, tmp_path: Path):
    (tmp_path / "case.yaml").write_text(HEAD + f'  - y: "{given}"\n')
    spec = api.load(tmp_path / "case.yaml")
    assert f"return {WRITTEN[given]}\n" in api.source(spec)
    x = torch.randn(2, 5, 3, 4)
    expected = eval(WRITTEN[given], {"x": x, "F": torch.nn.functional})
    assert api.compile(spec)(x).equal(expected)


def test_a_move_that_is_read_twice_stays(tmp_path: Path):
    steps = '  - a: "roll(x, 1, axis=1)"\n  - y: "a + roll(a, 1, axis=2)"\n'
    (tmp_path / "case.yaml").write_text(HEAD + steps)
    source = api.source(api.load(tmp_path / "case.yaml"))
    assert "a = x.roll(1, 1)" in source
    assert "a + a.roll(1, 2)" in source
