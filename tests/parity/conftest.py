from collections.abc import Callable

import pytest
from transformers.utils import logging

from tests.parity.catalog import Model
from tests.parity.rig import Rig
from tests.threads import one_thread

__all__ = ["one_thread"]
Rigs = Callable[[Model], Rig]

logging.set_verbosity_error()
logging.disable_progress_bar()


@pytest.fixture(scope="session")
def rigs(tmp_path_factory: pytest.TempPathFactory) -> Rigs:
    """One rig per model, made when it is first asked for."""
    made: dict[str, Rig] = {}

    def rig(model: Model) -> Rig:
        if model.name not in made:
            made[model.name] = Rig.set_up(model, tmp_path_factory.mktemp(model.name))
        return made[model.name]

    return rig
