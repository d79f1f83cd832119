"""Folders of several models, cut from one spec: those of pipelines, and of two towers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from archspec.errors import Diagnostic, UnsupportedError
from archspec.exporting.format import Format, LayoutName
from archspec.exporting.layouts import LAYOUTS, path_of
from archspec.exporting.part import Part
from archspec.exporting.pipeline_folders import DIFFUSERS, OPTIMUM, Client, companions_of, parts_of, texts_of
from archspec.exporting.systems import is_system, system_of
from archspec.exporting.towers import towers_of
from archspec.ir.graph import Graph
from archspec.spec.spec import Spec


@dataclass(frozen=True, slots=True)
class Folder:
    """Models, and the files beside them by their paths."""

    parts: tuple[Part, ...]
    texts: dict[str, str]


PIPELINES: dict[LayoutName | None, Client] = {"optimum": OPTIMUM, "diffusers": DIFFUSERS}


def folder_of(spec: Spec, graph: Graph, asked: Format, checkpoint: Path | None) -> Folder | None:
    """The models that a client wants of a spec; None where it wants one. Raises UnsupportedError O040."""
    if is_system(spec) and asked.layout is not None:
        return _pipeline(spec, graph, asked.layout, checkpoint)
    if asked.layout == "web" and (towers := towers_of(spec, graph)):
        layout = LAYOUTS[asked.layout]
        parts = tuple(Part(path_of(file, layout, asked), part) for file, part in towers.items())
        return Folder(parts, layout.beside(spec, graph, {}))
    if asked.layout == "diffusers":
        message = f"pipelines of diffusers run systems of several models, and '{spec.name}' is one model"
        raise UnsupportedError(Diagnostic("O040", message, None, "choose another layout"))
    return None


def _pipeline(spec: Spec, graph: Graph, layout: LayoutName, checkpoint: Path | None) -> Folder:
    client = PIPELINES.get(layout)
    if client is None:
        message = f"the client of '{layout}' runs no systems of several models, as '{spec.name}' is one"
        hint = f"choose another layout: {', '.join(map(str, PIPELINES))}"
        raise UnsupportedError(Diagnostic("O040", message, None, hint))
    system = system_of(spec, graph)
    return Folder(parts_of(system, client), texts_of(system, client, companions_of(checkpoint, system)))
