"""A configuration with any other value in one field is refused, or becomes what the reference builds.

A few trials for each spec, always the same. `ARCHSPEC_TRIALS=all` makes all of them, in half an hour or so.
"""

import os
from pathlib import Path
from random import Random

import pytest

from tests.importing.published import SECTIONS, Section
from tests.importing.trials import fault, trials

SMALL = [section for section in SECTIONS if section.case()]
EVERY = os.environ.get("ARCHSPEC_TRIALS") == "all"
TRIALS = 3


@pytest.mark.parametrize("section", SMALL, ids=str)
def test_another_value_of_one_field(section: Section, tmp_path: Path):
    some = list(trials(section))
    if not EVERY:
        some = Random(str(section)).sample(some, TRIALS)
    assert [(str(trial), found) for trial in some if (found := fault(trial, tmp_path))] == []
