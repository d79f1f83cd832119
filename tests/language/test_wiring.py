"""Any nesting of scopes computes what the rules of scopes say."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from hypothesis import given, settings

from archspec import api
from tests.language.draw import weights
from tests.language.wiring import Run, State, Yaml, models


@settings(max_examples=80)
@given(models())
def test_scopes_compute_what_they_say(model: tuple[Yaml, Run]):
    document, run = model
    with TemporaryDirectory() as folder:
        path = Path(folder) / "wired.yaml"
        path.write_text(json.dumps(document), encoding="utf-8")
        module = api.compile(path)
    weights(module, 0)
    module = module.double()
    x, m = torch.linspace(-1, 1, 12).view(3, 4).double(), torch.linspace(2, -1, 12).view(3, 4).double()
    state = State(module.state_dict(), x, names={"x": x, "m": m})
    run(state)
    torch.testing.assert_close(module(x=x, m=m), state.names["y"])
