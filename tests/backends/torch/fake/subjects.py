"""Models of the parity catalog, real and on shapes, side by side."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn

from archspec import api
from archspec.backends.torch.fake.trace import Inputs, Mode, Subject
from tests.parity.catalog import ALL, Model
from tests.parity.draw import draw

MODES = {
    "plain": Mode(),
    "loss": Mode(loss="loss"),
    "bf16": Mode(dtype="bfloat16"),
    "autocast": Mode(autocast="bfloat16"),
    "dropout": Mode(dropout=True),
}
DROPOUTS = ("dropout", "attention_dropout", "activation_dropout")
GLOBAL = 2  # tokens of a row that look everywhere, where a model has such


@dataclass(frozen=True)
class Pair:
    """A real module with its inputs, how it is run, and the same on shapes."""

    module: nn.Module
    subject: Subject
    inputs: dict[str, Tensor]
    run: Callable[..., Any] | None
    mode: Mode

    @property
    def shapes(self) -> Inputs:
        return {
            name: (tuple(x.shape), str(x.dtype).removeprefix("torch.")) for name, x in self.inputs.items()
        }


def runs() -> list[tuple[Model, str, str]]:
    """Every model, attention and mode that there is."""
    return [
        (model, attention, mode)
        for model in ALL
        for attention in ("eager", "sdpa")
        for mode in MODES
        if attention not in model.refuses and _has(model, mode)
    ]


def _has(model: Model, mode: str) -> bool:
    return {"loss": model.loss is not None, "dropout": bool(dropouts(model))}.get(mode, True)


@lru_cache
def dropouts(model: Model) -> dict[str, float]:
    """Params of dropout, all at a rate that drops something."""
    params = api.load(model.spec, preset=model.preset).section("params").entries
    return {key.text: 0.1 for key, _ in params if key.text in DROPOUTS}


@lru_cache(4)
def _built(model: Model, attention: str, dropped: bool) -> tuple[nn.Module, Subject]:
    overrides = model.params | (dropouts(model) if dropped else {})
    module = api.compile(
        model.spec, preset=model.preset, overrides=overrides, graph=model.graph, attention=attention
    )
    return module, Subject(str(module.source), model.name)


def pair(model: Model, attention: str, mode: str) -> Pair:
    module, subject = _built(model, attention, mode == "dropout")
    inputs, run = drawn(model, mode), None
    if mode == "bf16":
        module = deepcopy(module).bfloat16()
        inputs = {name: x.bfloat16() if x.is_floating_point() else x for name, x in inputs.items()}
    if mode == "loss":
        run = getattr(module, "loss")  # noqa: B009  # a Module promises no such method
    if mode == "autocast":
        run = torch.autocast("cpu", dtype=torch.bfloat16)(module)
    wanted = MODES[mode]
    if "global_attention_mask" in inputs:
        wanted = Mode(wanted.device, wanted.dtype, wanted.autocast, dropout=wanted.dropout, picked=GLOBAL)
    elif any("global_attention_mask" in case.inputs for case in model.cases.values()):
        wanted = Mode(wanted.device, wanted.dtype, loss=wanted.loss, picked=0)
    module.train(mode == "dropout")
    return Pair(module, subject, inputs, run, wanted)


def drawn(model: Model, mode: str) -> dict[str, Tensor]:
    """Inputs of the first case, or of the loss's; as many global tokens in each row."""
    if mode != "loss" or model.loss is None:
        name, case = next(iter(model.cases.items()))
        inputs = draw(case, case.inputs, model.name, name)
    else:
        case, name = model.cases[model.loss.case], model.loss.case
        inputs = draw(case, case.inputs, model.name, name)
        inputs = {name: x for name, x in inputs.items() if name not in model.loss.fed}
        inputs |= draw(case, model.loss.inputs, model.name, name)
    if "global_attention_mask" in inputs:
        mask = inputs["global_attention_mask"] = torch.zeros_like(inputs["global_attention_mask"])
        mask[:, :GLOBAL] = 1
    return inputs
