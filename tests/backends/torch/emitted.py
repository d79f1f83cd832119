"""Emitted source under test: every spec there is with its presets, and how a document becomes a module."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from archspec import api, library
from archspec.backends.torch.emit import emit
from archspec.backends.torch.runtime.load import module_from_source
from archspec.ir.graph import Graph
from archspec.spec.spec import Spec

ATTENTIONS = ("eager", "sdpa")


@dataclass(frozen=True, slots=True)
class Written:
    """A library spec under a preset."""

    spec: str
    preset: str | None

    def load(self) -> Spec:
        return api.load(self.spec, preset=self.preset)

    def graph(self) -> Graph:
        return lowered(self)

    def __str__(self) -> str:
        return f"{self.spec}-{self.preset}" if self.preset else self.spec


@cache
def lowered(written: Written) -> Graph:
    return api.lower(written.load())


def _all() -> Iterator[Written]:
    """A preset that changes nothing is only a name for the spec's own params."""
    for spec in library.names():
        presets = api.load(spec).table("presets")
        for preset in (None, *(name for name, changed in presets.items() if changed)):
            yield Written(spec, preset)


ALL = tuple(_all())


def source(written: Written, attention: str) -> str:
    return emit(written.graph(), attention=attention, provenance=f"{written}.yaml")


def classes(text: str) -> list[str]:
    """The names of the classes in a file."""
    return [node.name for node in ast.parse(text).body if isinstance(node, ast.ClassDef)]


def document(folder: Path, text: str) -> Path:
    """A spec's file; `text` is all but its version and name."""
    path = folder / "case.yaml"
    path.write_text(f"archspec: 1\nname: case\n{text}", encoding="utf-8")
    return path


def imported(text: str) -> ModuleType:
    return module_from_source(text, "case")


def root(text: str) -> Any:
    """The class of the model."""
    module = imported(text)
    return getattr(module, module.__all__[0])
