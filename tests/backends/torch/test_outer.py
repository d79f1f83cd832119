"""Which recurrences are computed by matrix products, and that these give the same numbers."""

from pathlib import Path
from typing import Any

import pytest
import torch

from archspec import api

HEAD = """archspec: 1
name: case
inputs:
  {a: "[B, S, 3]", fixed: "[3]", q: "[B, S, 3, 4]", k: "[B, S, 3, 4]", v: "[B, S, 3, 6]", shared: "[B, S, 4]"}
outputs: {y: y}
model:
"""
HEADS = (2, 70, 3)
SIZES = {
    "a": HEADS,
    "fixed": (3,),
    "q": (*HEADS, 4),
    "k": (*HEADS, 4),
    "v": (*HEADS, 6),
    "shared": (2, 70, 4),
}


def model(steps: str, folder: Path, head: str = HEAD) -> Any:
    (folder / "case.yaml").write_text(head + steps)
    return api.load(folder / "case.yaml")


def source(steps: str, folder: Path) -> str:
    text = api.source(model(steps, folder))
    return text[text.index("class Case") :]


READ = "y: \"einsum('bshpn,bshn->bshp', h, q)\""
CHUNKED = {
    "outer product by broadcasting": f"""
  - h: "scan(sigmoid(a)[..., None, None], v[..., None] * k[:, :, :, None])"
  - {READ}
""",
    "outer product by einsum": f"""
  - h: "scan(sigmoid(a)[..., None, None], einsum('bshp,bshn->bshpn', v, k))"
  - {READ}
""",
    "summed axis first": """
  - h: "scan(sigmoid(a)[..., None, None], k[..., None] * v[:, :, :, None])"
  - y: "einsum('bshnp,bshn->bshp', h, q)"
""",
    "three factors": f"""
  - h: "scan(sigmoid(a)[..., None, None], exp(a)[..., None, None] * v[..., None] * k[:, :, :, None])"
  - {READ}
""",
    "one factor for all positions": f"""
  - h: "scan(sigmoid(fixed)[:, None, None], v[..., None] * k[:, :, :, None])"
  - {READ}
""",
    "read by a sum": """
  - h: "scan(sigmoid(a)[..., None, None], v[..., None] * k[:, :, :, None])"
  - y: "sum(h * q[:, :, :, None], axis=-1)"
""",
    "written and read alike by all heads": """
  - h: "scan(sigmoid(a)[..., None, None], v[..., None] * shared[:, :, None, None])"
  - y: "einsum('bshpn,bsn->bshp', h, shared)"
""",
}


@pytest.mark.parametrize("steps", CHUNKED)
def test_states_that_are_outer_products_are_not_made(steps: str, tmp_path: Path):
    text = source(CHUNKED[steps], tmp_path)
    assert "outer_scan(" in text
    assert "in_pieces" not in text
    assert "linear_scan" not in text


@pytest.mark.parametrize("steps", CHUNKED)
def test_the_numbers_are_those_of_states_that_are_made(steps: str, tmp_path: Path):
    """The same spec with its states as a second output, which keeps them from being left out."""
    random = torch.Generator().manual_seed(0)
    given = {name: torch.randn(size, generator=random) for name, size in SIZES.items()}
    kept = HEAD.replace("{y: y}", "{y: y, h: h}")
    ours = api.compile(model(CHUNKED[steps], tmp_path))(**given)
    made = api.compile(model(CHUNKED[steps], tmp_path, kept))(**given)
    torch.testing.assert_close(ours, made.y, rtol=1e-4, atol=1e-4)


STEPWISE = {
    "a factor for each of the states": f"""
  - h: "scan(sigmoid(v[..., None] * k[:, :, :, None]), v[..., None] * k[:, :, :, None])"
  - {READ}
""",
    "a factor for each channel": f"""
  - h: "scan(sigmoid(v)[..., None], v[..., None] * k[:, :, :, None])"
  - {READ}
""",
    "no outer product": f"""
  - h: "scan(sigmoid(a)[..., None, None], v[..., None] + k[:, :, :, None])"
  - {READ}
""",
    "read by what differs in both": """
  - h: "scan(sigmoid(a)[..., None, None], v[..., None] * k[:, :, :, None])"
  - y: "einsum('bshpn,bshpn->bshp', h, tanh(v[..., None] * k[:, :, :, None]))"
""",
    "not summed": """
  - h: "scan(sigmoid(a)[..., None, None], v[..., None] * k[:, :, :, None])"
  - y: "h * q[:, :, :, None]"
""",
    "a sum over heads": """
  - h: "scan(sigmoid(a)[..., None, None], v[..., None] * k[:, :, :, None])"
  - y: "einsum('bshpn,bshn->bsp', h, q)"
""",
    "read twice": f"""
  - h: "scan(sigmoid(a)[..., None, None], v[..., None] * k[:, :, :, None])"
  - z: "einsum('bshpn,bshn->bshp', h, k)"
  - {READ.replace("y: ", "w: ")}
  - y: "w + z"
""",
}


@pytest.mark.parametrize("steps", STEPWISE)
def test_other_states_are_made(steps: str, tmp_path: Path):
    text = source(STEPWISE[steps], tmp_path)
    assert "linear_scan(" in text
    assert "outer_scan" not in text
