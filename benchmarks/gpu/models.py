"""The last phase: whole models, forward and a step of training, in all implementations of attention.

Weights are random and in bfloat16, nothing is dropped, the loss is the mean square of the first output, no
optimizer runs: what is timed is the model. Ours share weights, so that their results can be compared.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.gpu import device as dev
from benchmarks.gpu.kernels import Row, index, module_at, row_capability, tiled
from benchmarks.gpu.place import Job, Place, Told, rows_of
from benchmarks.gpu.reference import errors

ATTENTIONS = ("triton", "sdpa", "flex", "eager")
COMPILED = ("triton", "flex")
BOTH, STEPWISE = ("sdpa", "eager"), ("eager",)
ROUNDS = 2
Given = dict[str, Tensor]


@dataclass(frozen=True, slots=True)
class Peer:
    """A reference: package, class and class of its config (None: the config is its arguments)."""

    package: str
    model: str
    config: str | None
    arguments: Mapping[str, Any]
    attentions: tuple[str, ...]
    inputs: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Model:
    """A spec with its preset or graph, its inputs' sizes, and its peer. `tiny`: a rehearsal's arguments."""

    spec: str
    peer: Peer
    preset: str | None = None
    graph: str | None = None
    batch: int = 1
    length: int = 1024
    tiny: Mapping[str, Any] | None = None


_SMALL = {"vocab_size": 50, "hidden_size": 32, "num_layers": 1, "num_heads": 2, "intermediate_size": 32}
_LLAMA = {"vocab_size": 128256, "hidden_size": 2048, "num_hidden_layers": 16, "num_attention_heads": 32,
          "num_key_value_heads": 8, "intermediate_size": 8192, "tie_word_embeddings": True,
          "max_position_embeddings": 131072}  # fmt: skip
_UNET = {"cross_attention_dim": 768, "attention_head_dim": 8}
_LONG = {
    "attention_window": [512] * 12,
    "type_vocab_size": 1,
    "max_position_embeddings": 4098,
    "vocab_size": 50265,
}
MODELS = {
    "GPT-2": Model("gpt2", Peer("transformers", "GPT2LMHeadModel", "GPT2Config", {}, BOTH), batch=8,
                   tiny=_SMALL | {"max_positions": 64}),
    "Llama 1B": Model("llama", Peer("transformers", "LlamaForCausalLM", "LlamaConfig", _LLAMA, BOTH),
                      preset="1b", batch=2, length=4096, tiny=_SMALL | {"num_kv_heads": 1, "head_dim": 16}),
    "Longformer": Model("longformer",
                        Peer("transformers", "LongformerModel", "LongformerConfig", _LONG, STEPWISE),
                        preset="encoder", batch=4, length=4096,
                        tiny=_SMALL | {"max_positions": 70, "windows": 8}),
    "SD U-Net": Model("sd15", Peer("diffusers", "UNet2DConditionModel", None, _UNET, ("sdpa",)), graph="unet",
                      batch=4, length=64),
}  # fmt: skip


def jobs(rows: Iterable[Row], dry: bool) -> list[Job]:
    known = [list(row) for row in rows]
    return [{"model": name, "rows": known} for name, x in MODELS.items() if x.tiny or not dry]


def warming(rows: Iterable[Row]) -> list[Job]:
    """What compiles for long."""
    return [job | {"peer": way} for job in jobs(rows, dry=False) for way in COMPILED]


def stepped(job: Job, place: Place) -> Job:
    """Milliseconds of forward and of a training step, bytes at its peak, ours' distance from `sdpa`."""
    model = MODELS[job["model"]]
    said: Job = {"ms": {}, "bytes": {}, "errors": {}, "far": {}}
    prepared = index(place.folder)["models"][job["model"]]
    kernels = [module_at(place.folder / "kernels" / file) for file in prepared["kernels"]]
    with tiled(kernels, rows_of(job), row_capability(place.device)):
        runs = _entrants(model, prepared, place, said)
        for what in ("forward", "step"):
            racing = {name: _running(module, given, what) for name, (module, given) in runs.items()}
            if racing:
                said["ms"][what] = dev.in_rounds(racing, place.device, 1 if place.dry else ROUNDS, rep=200)
    return said


def warmed(job: Job, place: Place) -> Job:
    """Seconds until a step was compiled."""
    model, prepared = MODELS[job["model"]], index(place.folder)["models"][job["model"]]
    kernels = [module_at(place.folder / "kernels" / file) for file in prepared["kernels"]]
    with tiled(kernels, rows_of(job), row_capability(place.device)):
        began = time.perf_counter()
        module, given = _makers(model, prepared, place)[job["peer"]](inputs(model, place))
        _running(module, given, "step")()
    return {"seconds": time.perf_counter() - began}


def _entrants(
    model: Model, prepared: Mapping[str, Any], place: Place, said: Job
) -> dict[str, tuple[nn.Module, Given]]:
    given, found, results = inputs(model, place), dict[str, tuple[nn.Module, Given]](), dict[str, Tensor]()
    makers = _makers(model, prepared, place)
    for who, make in makers.items():
        with Told(said["errors"], who):
            module, own = make(given)
            if who in ATTENTIONS and found:
                module.load_state_dict(next(iter(found.values()))[0].state_dict())
            with torch.no_grad():
                results[who] = output(module, own)
            said["bytes"][who] = dev.peak(_running(module, own, "step"), place.device)
            found[who] = (module, own)
    if {"triton", "sdpa"} <= set(results):
        said["far"]["triton"] = errors({"out": results["triton"]}, {"out": results["sdpa"].double()})["out"]
    return found


def _makers(
    model: Model, prepared: Mapping[str, Any], place: Place
) -> dict[str, Callable[[Given], tuple[nn.Module, Given]]]:
    """Ours by attention, then the peer's. Rehearsals leave out the peer, and what is compiled for a CPU."""
    folder = place.folder / "models" / prepared["folder"]
    arguments = dict(model.tiny or {}) if place.dry else {}

    def ours(attention: str) -> Callable[[Given], tuple[nn.Module, Given]]:
        module = module_at(folder / f"{attention}.py")
        kind = getattr(module, prepared["class"])
        return lambda given: (_placed(lambda: kind(**arguments), place), given)

    def theirs(attention: str) -> Callable[[Given], tuple[nn.Module, Given]]:
        return lambda given: (_placed(lambda: _peer(model.peer, attention), place), given)

    known = {x: ours(x) for x in prepared["attentions"] if not (place.dry and x == "flex")}
    return (
        known
        if place.dry
        else known | {f"{model.peer.package} {x}": theirs(x) for x in model.peer.attentions}
    )


def _placed(make: Callable[[], nn.Module], place: Place) -> nn.Module:
    with torch.device(place.device):
        return make().to(place.device, place.dtype).eval()


def _peer(peer: Peer, attention: str) -> nn.Module:
    library: Any = importlib.import_module(peer.package)
    kind = getattr(library, peer.model)
    if peer.config is None:
        return kind(**peer.arguments)
    config = getattr(library, peer.config)(**peer.arguments)
    config._attn_implementation = attention
    return kind(config)


def inputs(model: Model, place: Place) -> Given:
    """Random, the same for all."""
    draw = torch.Generator(place.device).manual_seed(0)
    batch, length = (1, 24) if place.dry else (model.batch, model.length)
    if model.graph:
        sample = torch.randn(batch, 4, length, length, device=place.device, generator=draw).to(place.dtype)
        words = torch.randn(batch, 77, 768, device=place.device, generator=draw).to(place.dtype)
        steps = torch.randint(0, 1000, (batch,), device=place.device, generator=draw)
        return {"sample": sample, "timestep": steps, "encoder_hidden_states": words}
    ids = torch.randint(2, 50, (batch, length), device=place.device, generator=draw)
    if model.spec != "longformer":
        return {"input_ids": ids}
    chosen = torch.zeros_like(ids)
    chosen[:, 0] = 1
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids), "global_attention_mask": chosen}


def output(module: nn.Module, given: Given) -> Tensor:
    """The first output."""
    found = module(**given)
    return found if isinstance(found, Tensor) else found[0]


def _running(module: nn.Module, given: Given, what: str) -> dev.Run:
    if what == "forward":
        return torch.no_grad()(lambda: output(module, given))

    def step() -> None:
        output(module, given).float().square().mean().backward()
        module.zero_grad(set_to_none=True)

    return step
