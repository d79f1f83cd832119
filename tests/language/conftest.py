from collections.abc import Callable
from pathlib import Path

import pytest

from tests.language.cases import Block, Case
from tests.language.rig import Rig, implementations
from tests.threads import one_thread

__all__ = ["one_thread"]
Rigs = Callable[[Case, Block], tuple[Rig, ...]]


@pytest.fixture(scope="session")
def rigs(tmp_path_factory: pytest.TempPathFactory) -> Rigs:
    """A case under the settings of a block, by each attention; made when it is first asked for."""
    made: dict[tuple[Path, str, tuple[str, ...]], tuple[Rig, ...]] = {}

    def get(case: Case, block: Block) -> tuple[Rig, ...]:
        key = (case.path, case.name, block.settings)
        if key not in made:
            spec = case.load(tmp_path_factory.mktemp("case"), block)
            made[key] = tuple(Rig.set_up(spec, attention) for attention in implementations(spec))
        return made[key]

    return get
