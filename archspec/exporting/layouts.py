"""Folders that clients load: which models they want, under which names, and what stands beside these."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import PurePosixPath
from typing import TypeAlias

from msgspec import Struct

from archspec.backends.onnx.interface import Interface
from archspec.backends.onnx.modes import CACHED, DECODER_WITH_PAST, ENCODER, may_be_left_out, modes_of
from archspec.backends.onnx.naming import is_outer
from archspec.backends.onnx.save import Written
from archspec.exporting import genai
from archspec.exporting.files import File
from archspec.exporting.format import Format, LayoutName, Way
from archspec.ir.graph import Graph, State
from archspec.spec.spec import Spec
from archspec.weights.folder import hub_config
from archspec.weights.of_spec import rules_of

Texts: TypeAlias = dict[str, str]
Beside: TypeAlias = Callable[[Spec, Graph, Mapping[str, Written]], Texts]

SCORES = "logits"
MERGED = "decoder_model_merged.onnx"
GIVEN = ("attention_mask", "position_ids", "token_type_ids")  # optional inputs that clients give
# Inputs of a decoder behind an encoder, as transformers calls them there.
DECODER = {
    "decoder_input_ids": "input_ids",
    "input_ids": "encoder_input_ids",
    "attention_mask": "encoder_attention_mask",
}
# How transformers.js asks for fewer bits: https://huggingface.co/docs/transformers.js/guides/dtypes
SUFFIXES = {"float16": "_fp16", "int8": "_quantized", "int8-static": "_quantized", "int4": "_q4"}


class Layout(Struct, frozen=True):
    """A folder that a client loads: `folder` holds its models, `beside` writes other files.

    `suffixed`: names of models say how they are stored. `merged`: a decoder's first and later steps are one
    model, which is told at each run which of them it is.
    """

    summary: str
    beside: Beside
    folder: str = ""
    suffixed: bool = False
    merged: bool = False


def _hub(spec: Spec, graph: Graph, written: Mapping[str, Written]) -> Texts:
    """config.json. Raises SpecError W050 where the spec says nothing of the hub."""
    return {"config.json": json.dumps(hub_config(rules_of(spec, "hf")), indent=2, sort_keys=True) + "\n"}


def _genai(spec: Spec, graph: Graph, written: Mapping[str, Written]) -> Texts:
    hub = hub_config(rules_of(spec, "hf")) if spec.section("weights").get("hf") else {}
    return {genai.FILE: genai.config(graph, written, hub)}


LAYOUTS: Mapping[LayoutName, Layout] = {
    "optimum": Layout("what ORTModel classes of optimum load", _hub),
    "web": Layout("what transformers.js loads", _hub, folder="onnx", suffixed=True, merged=True),
    "genai": Layout("what onnxruntime-genai loads", _genai),
}


def way_of(graph: Graph, asked: Format) -> Way:
    """How a client wants a model cut: with a cache where it decodes, in two towers where it has these."""
    if asked.layout is None:
        return asked.mode
    modes = modes_of(graph)
    if ENCODER.name in modes:
        return "encoder-decoder"
    return "cached" if CACHED.name in modes else "full"


def without(graph: Graph, asked: Format) -> tuple[str, ...]:
    """The inputs to leave out: those that were named, and optional ones that a client would not give."""
    if asked.layout is None:
        return asked.without
    unknown = (name for name in may_be_left_out(graph) if name not in GIVEN)
    return tuple(dict.fromkeys([*asked.without, *unknown]))


def laid_out(files: tuple[File, ...], asked: Format) -> tuple[File, ...]:
    """The models with the names that a client knows."""
    if asked.layout is None:
        return files
    layout = LAYOUTS[asked.layout]
    renamed = tuple(replace(file, form=_renamed(file)) for file in files)
    wanted = _merged(renamed) if layout.merged else renamed
    return tuple(replace(file, name=path_of(file.name, layout, asked)) for file in wanted)


def _merged(files: tuple[File, ...]) -> tuple[File, ...]:
    """The decoder's two models, if it has two behind an encoder, as one."""
    by_mode = {file.mode: file for file in files}
    if DECODER_WITH_PAST.name not in by_mode:
        return files
    first, later = by_mode["decoder"], by_mode[DECODER_WITH_PAST.name]
    return (by_mode[ENCODER.name], replace(first, name=MERGED, later=later))


def path_of(file: str, layout: Layout, asked: Format) -> str:
    """Where a client looks for a model."""
    stem = PurePosixPath(file)
    suffix = SUFFIXES.get(asked.quantize or asked.dtype, "") if layout.suffixed else ""
    return str(PurePosixPath(layout.folder) / f"{stem.stem}{suffix}{stem.suffix}")


def _renamed(file: File) -> Interface:
    """Scores are `logits`; a decoder behind an encoder has `past_key_values.0.decoder.key`."""
    form, names = file.form, _scores(file.graph)
    if file.mode.startswith("decoder"):
        names |= DECODER
        past, present = (_of_decoder(name) for name in (form.past_name, form.present_name))
        form = replace(form, past_name=past, present_name=present)
    return replace(form, names={**form.names, **names})


def _scores(graph: Graph) -> dict[str, str]:
    """The one output of scores, whatever of, is `logits`."""
    named = [name for name, _ in graph.outputs if name.endswith(SCORES)]
    return {named[0]: SCORES} if len(named) == 1 else {}


def _of_decoder(name: Callable[[str, State, int], str]) -> Callable[[str, State, int], str]:
    """`past_key_values.0.key` as `past_key_values.0.decoder.key`; what an encoder computed stays."""

    def named(path: str, state: State, index: int) -> str:
        plain = name(path, state, index)
        if is_outer(path, state) or state.kind != "append":
            return plain
        start, _, part = plain.rpartition(".")
        return f"{start}.decoder.{part}"

    return named


def beside(spec: Spec, graph: Graph, asked: Format, written: Mapping[str, Written]) -> Texts:
    """Other files of the folder, by name. Raises SpecError W050, UnsupportedError O040."""
    return {} if asked.layout is None else LAYOUTS[asked.layout].beside(spec, graph, written)
