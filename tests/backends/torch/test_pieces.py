"""Which recurrences run in pieces, and what stays outside; numbers are compared in tests/cases/language."""

from pathlib import Path

import pytest

from archspec import api

HEAD = """archspec: 1
name: case
inputs: {u: "[B, S, 4]", c: "[B, S, 3]", wide: "[B, S, 4, 3]", A: "[4, 3]"}
outputs: {y: y}
model:
"""


def source(steps: str, folder: Path) -> str:
    (folder / "case.yaml").write_text(HEAD + steps)
    text = api.source(api.load(folder / "case.yaml"))
    return text[text.index("class Case") :]


NARROW = [
    '  - y: "sum(scan(exp(u[..., None] * A), u[..., None] * c[:, :, None]) * c[:, :, None], axis=-1)"\n',
    "  - y: \"einsum('bsdn,bsn->bsd', scan(exp(A), u[..., None] * c[:, :, None]), c)\"\n",
    '  - y: "squeeze(scan(wide, u[..., None] * c[:, :, None]) @ c[..., None], -1)"\n',
    '  - y: "scan(exp(u[..., None] * A), u[..., None] * c[:, :, None])"\n',
]


@pytest.mark.parametrize("steps", NARROW)
def test_what_is_made_of_less_runs_in_pieces(steps: str, tmp_path: Path):
    text = source(steps, tmp_path)
    before, piece, after = text.partition("def piece(")
    assert piece
    assert "linear_scan(" not in before
    assert "in_pieces(piece, (" in after
    outside = after[after.index("in_pieces(") :]
    assert "exp(" not in outside
    assert "[..., None]" not in outside


SPARE = {
    "scan(exp(A), u[..., None] * c[:, :, None])": True,
    "scan(exp(u[..., None] * A), wide)": False,  # the caller's
    "scan(exp(u[..., None] * A), c[:, :, None])": False,  # smaller than the states
    "scan(exp(u[..., None] * A), expand(u[..., None], [B, S, 4, 3]))": False,  # no memory of its own
}


@pytest.mark.parametrize("states", SPARE)
def test_states_are_written_over_what_was_made_for_them(states: str, tmp_path: Path):
    text = source(f'  - y: "sum({states}, axis=-1)"\n', tmp_path)
    assert ("over=True" in text) == SPARE[states]


WIDE = [
    '  - y: "scan(sigmoid(u), u * u)"\n',  # nothing is narrower than the state
    '  - y: "scan(wide, sigmoid(wide))"\n',
    '  - y: "scan(sigmoid(u)[..., None], wide)"\n',  # what is narrower is only broadcast
]


@pytest.mark.parametrize("steps", WIDE)
def test_what_is_as_wide_as_its_state_runs_whole(steps: str, tmp_path: Path):
    text = source(steps, tmp_path)
    assert "linear_scan(" in text
    assert "in_pieces" not in text


def test_what_mixes_along_the_axis_stays_outside(tmp_path: Path):
    steps = """\
  - total: "cumsum(exp(u[..., None] * A), axis=1)"
  - y: "mean(scan(total, u[..., None] * c[:, :, None]), axis=-1)"
"""
    before, _, after = source(steps, tmp_path).partition("def piece(")
    assert "cumsum(1)" in before
    assert "cumsum" not in after
    assert "mean(-1)" in after


def test_states_that_are_read_twice_come_out(tmp_path: Path):
    steps = """\
  - h: "scan(exp(A), u[..., None] * c[:, :, None])"
  - y: "sum(h, axis=-1) + mean(h, axis=-1)"
"""
    text = source(steps, tmp_path)
    inside = text[text.index("def piece(") : text.index("in_pieces(piece")]
    assert "sum(" not in inside
    assert "mean(" not in inside
