"""What every test session needs: no network, no fight over cores, reproducible properties, goldens."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRITON_INTERPRET"] = (
    "1"  # generated kernels run on CPUs; it has to be set before triton is imported
)
if "PYTEST_XDIST_WORKER" in os.environ:  # one thread a worker, before anything imports torch
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# A time limit for one example measures the machine. CI repeats the same examples; a desk explores new ones.
settings.register_profile("house", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("house")

GOLDENS = Path(__file__).parent / "goldens"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-goldens", action="store_true", help="write goldens anew instead of comparing")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """`golden("x.py", text)` asserts that `text` equals tests/goldens/x.py."""

    def check(name: str, text: str) -> None:
        path = GOLDENS / name
        if request.config.getoption("--update-goldens"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        assert path.is_file(), f"no golden {name}; --update-goldens writes it"
        assert text == path.read_text(encoding="utf-8")

    return check
