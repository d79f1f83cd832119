"""An optional input where something must be there: the finding says what may be written instead."""

from pathlib import Path

import pytest

from archspec import api
from archspec.errors import ArchspecError

SPEC = """\
archspec: 1
name: case
inputs: {x: "[B, S, 8]", m: {type: "[B, S, 8]", optional: true}}
model: [{y: "x + m"}]
outputs: {y: y}
"""


def test_the_hint_names_what_stands_in_for_it(tmp_path: Path):
    path = tmp_path / "case.yaml"
    path.write_text(SPEC, encoding="utf-8")
    with pytest.raises(ArchspecError) as error:
        api.check(api.load(path))
    found = error.value.diagnostics[0]
    assert (found.code, found.hint) == ("I115", "'otherwise(m, y)' is y where 'm' is absent")
