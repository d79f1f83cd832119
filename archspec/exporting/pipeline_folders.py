"""Folders of systems: what optimum's pipelines load, and what those of diffusers itself do."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from archspec.dims import poly
from archspec.exporting.adapted import first_half, for_all_rows, narrow
from archspec.exporting.companions import INDEX, Companions
from archspec.exporting.files import Change, unchanged
from archspec.exporting.part import Part
from archspec.exporting.scheduler import CLASS, scheduler
from archspec.exporting.systems import Piece, System
from archspec.weights.folder import hub_config

FILE = "model.onnx"
ABSENT = [None, None]


class Client(Struct, frozen=True):
    """What pipelines of one library expect.

    `time`: the shape of the input `timestep`. `narrow`: ids have 32 bits. `mean`: the encoder gives latents,
    before what they are drawn from. `models`: the class of each model, None for that of the checkpoint.
    """

    time: tuple[int, ...] = ()
    narrow: bool = False
    mean: bool = False
    models: tuple[str, str] | None = None
    prefix: str = ""


# https://huggingface.co/docs/optimum-onnx/onnxruntime/package_reference/modeling#stable-diffusion
OPTIMUM = Client()
# scripts/convert_stable_diffusion_checkpoint_to_onnx.py of diffusers
DIFFUSERS = Client((1,), narrow=True, mean=True, models=("diffusers", "OnnxRuntimeModel"), prefix="Onnx")


def parts_of(system: System, client: Client) -> tuple[Part, ...]:
    """The models, each in a folder of its own."""
    return tuple(_part(system, piece, client) for piece in system.pieces)


def _part(system: System, piece: Piece, client: Client) -> Part:
    how = system.sampler
    steps = int(how.signal.outputs[0].type.shape[0])
    constant = {how.time: (how.first, steps // 2, steps - 1)} if piece.role == "denoiser" else {}
    file = f"{piece.folder}/{FILE}"
    return Part(file, piece.graph, _names(system, piece), _change(piece, client), constant)


def _names(system: System, piece: Piece) -> dict[str, str]:
    """What pipelines call inputs and outputs."""
    how, (first, *_) = system.sampler, piece.inputs
    match piece.role:
        case "prompt":
            return {first: "input_ids", piece.output: "last_hidden_state"}
        case "denoiser":
            given = {how.noisy: "sample", how.time: "timestep", system.condition: "encoder_hidden_states"}
            return {**given, piece.output: "out_sample"}
        case "encoder":
            return {first: "sample", piece.output: "latent_parameters"}
        case "decoder":
            return {first: "latent_sample", piece.output: "sample"}


def _change(piece: Piece, client: Client) -> Change:
    match piece.role:
        case "denoiser":
            return for_all_rows("timestep", "sample", client.time)
        case "prompt" if client.narrow:
            return narrow
        case "encoder" if client.mean:
            return first_half("latent_sample")
        case _:
            return unchanged


def texts_of(system: System, client: Client, beside: Companions) -> dict[str, str]:
    """The other files, by name. `beside`: what lies beside the models in the checkpoint's folder."""
    configs: dict[str, Mapping[str, object]] = {
        f"{piece.folder}/config.json": _config(system, piece) for piece in system.pieces
    }
    if "scheduler" not in beside.classes:
        configs["scheduler/scheduler_config.json"] = scheduler(system.sampler)
    configs[INDEX] = _index(system, client, beside)
    return {**{name: _written(config) for name, config in configs.items()}, **beside.texts}


def _config(system: System, piece: Piece) -> Mapping[str, object]:
    found = hub_config(piece.rules)
    return {**found, "sample_size": _side(system)} if piece.role == "denoiser" else found


def _side(system: System) -> int | None:
    """The side of a square sample, of the size that the spec says is usual."""
    noisy = next(
        value for value in system.piece("denoiser").graph.inputs if value.name == system.sampler.noisy
    )
    sides = {poly.evaluate(size.size, system.sampler.sizes) for size in noisy.type.shape[2:]}
    found = sides.pop()
    return found if isinstance(found, int) and not sides else None


def _index(system: System, client: Client, beside: Companions) -> dict[str, object]:
    """model_index.json: the class of each part. What a spec cannot give, the caller of a pipeline does."""
    pieces = system.pieces
    kinds = {str(p.rules.folder): [p.rules.library, p.rules.class_] for p in pieces}
    if client.models is not None:
        kinds = {piece.folder: list(client.models) for piece in pieces}
    absent = dict.fromkeys(("tokenizer", "feature_extractor", "safety_checker"), ABSENT)
    name = beside.pipeline or next((p.rules.pipeline for p in pieces if p.rules.pipeline), None)
    named = {"_class_name": client.prefix + name.removeprefix(client.prefix)} if name else {}
    return {
        **named,
        "requires_safety_checker": False,
        **absent,
        "scheduler": ["diffusers", CLASS],
        **beside.classes,
        **kinds,
    }


def _written(content: Mapping[str, object]) -> str:
    return json.dumps(content, indent=2, sort_keys=True) + "\n"


def companions_of(checkpoint: Path | None, system: System) -> Companions:
    """What the folder of a checkpoint holds beside the models."""
    return Companions.read(checkpoint, {str(piece.rules.folder) for piece in system.pieces})
