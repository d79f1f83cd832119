"""Four files to read cold; `--update-goldens` writes them anew."""

from collections.abc import Callable

import pytest

from tests.backends.torch.emitted import Written, source


@pytest.mark.parametrize(
    ("name", "attention"), [("gpt2", "sdpa"), ("gpt2", "eager"), ("bert", "sdpa"), ("t5", "sdpa")]
)
def test_source_reads_as_before(name: str, attention: str, golden: Callable[[str, str], None]):
    golden(f"{name}-{attention}.py.txt", source(Written(name, None), attention))
