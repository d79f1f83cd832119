"""One place of an axis is an index; the numbers are those of the slice."""

from pathlib import Path

import pytest
import torch

from archspec import api

HEAD = """archspec: 1
name: case
inputs: {x: "[B, S, 4]", t: "[B, 1, 4]"}
outputs: {y: y}
model:
"""
WRITTEN = {
    "x[:, 0]": "x[:, 0]",
    "x[:, -1]": "x[:, -1]",
    "x[..., 2]": "x[..., 2]",
    "squeeze(x[:, 1:2], 1)": "x[:, 1]",
    "x[:, 1:2]": "x[:, 1:2]",
    "x[:, 1:3]": "x[:, 1:3]",
    "squeeze(t, 1)": "t.squeeze(1)",
}


@pytest.mark.parametrize("given", WRITTEN)
def test_one_place_is_an_index(given: str, tmp_path: Path):
    (tmp_path / "case.yaml").write_text(HEAD + f'  - y: "{given}"\n')
    spec = api.load(tmp_path / "case.yaml")
    assert f"return {WRITTEN[given]}\n" in api.source(spec)
    tensors = {"x": torch.randn(2, 5, 4), "t": torch.randn(2, 1, 4)}
    expected = eval(WRITTEN[given], dict(tensors))
    assert api.compile(spec)(**tensors).equal(expected)
