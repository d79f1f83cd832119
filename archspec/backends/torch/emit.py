"""A graph as one file of readable PyTorch."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

from archspec.backends.torch.classes import Classes
from archspec.backends.torch.forward import shape_text
from archspec.backends.torch.layout import docstring
from archspec.backends.torch.model import Model
from archspec.backends.torch.module import Module
from archspec.backends.torch.passes.attention import choose_attention
from archspec.backends.torch.passes.hoist import hoist
from archspec.dims.num import Num
from archspec.ir.graph import Graph, Region
from archspec.lowering.passes.trim import trimmed

RUNTIME = Path(__file__).parent / "runtime"


def emit(graph: Graph, *, attention: str = "sdpa", provenance: str = "") -> str:
    """Python source of the model: torch is all it imports.

    `attention`: `eager` or `sdpa`. `provenance`: where the spec came from, for the head of the file.
    Raises `UnsupportedError` with what cannot be written and why.
    """
    root = trimmed(hoist(choose_attention(graph.root, attention)))
    first = _model(graph, root, frozenset())
    several = {c: list(places.values()) for c, places in first.classes.several.items()}
    ambiguous = frozenset(c for c, places in several.items() if 1 < len(places) == len(set(places)))
    model = _model(graph, root, ambiguous) if ambiguous else first
    return _file(model, attention, provenance)


def _model(graph: Graph, root: Region, ambiguous: frozenset[str]) -> Model:
    classes = Classes(root, graph.dims, ambiguous)
    names = frozenset(name for name, v in root.bindings if isinstance(v, Num))
    module = Module(classes, root, "", names, classes.parts)
    model = Model(graph, root, module, classes)
    classes.taken[model.name] = ""
    model.write()
    model.text()
    return model


def _file(model: Model, attention: str, provenance: str) -> str:
    body = model.text()
    classes = [line for module in model.classes.ordered for line in ("", "", *module.text())]
    masks = [line for _, function in model.classes.masks.values() for line in ("", "", *function.lines)]
    output = _output(model)
    states = "\n".join([*classes, *body])
    for kind in ("KVCache", "Held"):
        if f"{kind}(" in states or f": {kind}" in states:
            model.classes.parts.require(f"runtime:cache.{kind}")
    copied = [line for name in model.classes.parts.runtime for line in ("", "", *runtime_source(name))]
    head = [*docstring(_heading(model, attention, provenance), 0), "", *_imports(model, output), "", f'__all__ = ["{model.name}"]']
    return "\n".join([*head, *copied, *output, *masks, *classes, "", "", *body]) + "\n"


def _heading(model: Model, attention: str, provenance: str) -> list[str]:
    graph = model.graph
    title = f"{model.name}: {graph.summary[:1].lower()}{graph.summary[1:]}" if graph.summary else model.name
    lines = [*title.split("\n"), ""]
    if graph.source:
        lines += [f"Source   {line}" for line in graph.source.split("\n")]
    made = f"attention={attention}"
    lines.append(f"Spec     {provenance}; {made}" if provenance else f"Spec     {graph.name}; {made}")
    lines += model.facts()
    dims = ", ".join(graph.dims)
    past = f"; {graph.stream} grows while decoding, past = tokens already in the cache" if graph.stream else ""
    return [*lines, f"Dims     {dims}{past}"] if dims else lines


def _imports(model: Model, output: list[str]) -> list[str]:
    wanted = model.classes.parts.imports
    standard = sorted(line for line in wanted if line == "import math")
    if output:
        standard.append("from typing import NamedTuple")
    torch = ["import torch"]
    functional = ["import torch.nn.functional as F"] if "import torch.nn.functional as F" in wanted else []
    return [*standard, *([""] if standard else []), *torch, *functional, "from torch import Tensor, nn"]


def _output(model: Model) -> list[str]:
    """The named tuple of several results."""
    if len(model.graph.outputs) == 1:
        return []
    fields = [f"    {name}: Tensor  # {shape_text(v.type)}" for name, v in model.graph.outputs]
    return ["", "", "class Output(NamedTuple):", *docstring(["What the model gives."], 4), "", *fields]


@cache
def runtime_source(name: str) -> tuple[str, ...]:
    """The text of a class or function of the runtime folder, by `module.name`."""
    module, _, wanted = name.partition(".")
    text = (RUNTIME / f"{module}.py").read_text(encoding="utf-8")
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == wanted:
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            return tuple(text.splitlines()[first - 1 : node.end_lineno])
    raise AssertionError(f"no runtime function {name}")


__all__ = ["emit", "runtime_source"]
