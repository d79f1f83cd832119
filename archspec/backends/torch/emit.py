"""A graph as one file of readable PyTorch."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence

from archspec.backends.torch.choice import Picked, choices, picker
from archspec.backends.torch.copied import runtime_source, with_needed
from archspec.backends.torch.forward import shape_text
from archspec.backends.torch.layout import docstring, fits
from archspec.backends.torch.loss import loss_methods
from archspec.backends.torch.model import Model
from archspec.backends.torch.passes.attention import choose_attention
from archspec.backends.torch.passes.by_rows import run_by_rows
from archspec.backends.torch.passes.feed import feed_layers
from archspec.backends.torch.passes.flex import attend_by_flex
from archspec.backends.torch.passes.hoist import hoist
from archspec.backends.torch.passes.index import index_axes
from archspec.backends.torch.passes.kernels import attend_by_kernels
from archspec.backends.torch.passes.merge import merge_moves
from archspec.backends.torch.passes.outer import contract_outer
from archspec.backends.torch.passes.pieces import run_in_pieces
from archspec.backends.torch.passes.rows import project_rows
from archspec.backends.torch.passes.share import share_layers
from archspec.ir.graph import Graph, parameter_count
from archspec.lowering.passes.trim import trimmed

STATE = ("KVCache", "Held", "Carried")
STANDARD = {"math": "import math", "re": "import re", "Callable": "from collections.abc import Callable",
            "wraps": "from functools import wraps"}  # fmt: skip
TYPING = ("Any", "NamedTuple")
FLEXIBLE = ("AuxOutput", "AuxRequest", "BlockMask", "create_block_mask", "flex_attention")
FLEX = "flex = torch.compile(flex_attention)  # uncompiled it computes and keeps the scores of all pairs"


def emit(graph: Graph, *, attention: str = "sdpa", device: str = "cpu", provenance: str = "") -> str:
    """Python source of the model: torch is all it imports, and for `triton` the files of `kernel_files`.

    `attention`: `eager`, `sdpa`, `flex`, `triton`, or `auto`, which picks what suits each attention on the
    `device`, cpu or cuda. `provenance`: where the spec came from, for the head of the file.
    Raises `UnsupportedError` with what cannot be written and why.
    """
    pick = picker(attention, device)
    root = attend_by_flex(share_layers(attend_by_kernels(graph.root, pick)), pick)
    root = choose_attention(root, pick)
    root = run_in_pieces(contract_outer(project_rows(root)))
    root = run_by_rows(feed_layers(trimmed(merge_moves(index_axes(hoist(root))))))
    model = Model.of(graph, root)
    several = {component: [*places.values()] for component, places in model.classes.several.items()}
    ambiguous = {c for c, places in several.items() if 1 < len(places) == len(set(places))}
    if ambiguous:
        model = Model.of(graph, root, frozenset(ambiguous))
    code = _code(model)
    picked = choices(graph, device) if attention == "auto" else ()
    head = docstring(_heading(model, f"auto for {device}" if picked else attention, provenance, picked), 0)
    return (
        "\n".join([*head, "", *_imports(code), *_kernels(model), "", f'__all__ = ["{model.name}"]', *code])
        + "\n"
    )


def _code(model: Model) -> list[str]:
    """What stands below the imports, two blank lines before each definition."""
    classes = model.classes
    body = model.text(loss_methods(model))
    modules = [module.text() for module in classes.ordered]
    of_pairs = [function.lines for _, function in classes.functions.values()]
    names = _names(line for lines in (*modules, body) for line in lines)
    copied = [*with_needed(classes.parts.runtime), *(f"cache.{name}" for name in STATE if name in names)]
    definitions = [*map(runtime_source, copied), *_output(model), *of_pairs, *modules, body]
    compiled = ["", FLEX] if "flex" in names else []
    return [*compiled, *(line for lines in definitions for line in ("", "", *lines))]


def _names(lines: Iterable[str]) -> set[str]:
    """The names that code reads or binds, attributes and comments aside."""
    return {node.id for node in ast.walk(ast.parse("\n".join(lines))) if isinstance(node, ast.Name)}


def _imports(code: Sequence[str]) -> list[str]:
    names = _names(code)
    standard = [line for name, line in STANDARD.items() if name in names]
    typing = ", ".join(name for name in TYPING if name in names)
    standard += [f"from typing import {typing}"] if typing else []
    torch = ["import torch"] if "torch" in names else []
    functional = ["import torch.nn.functional as F"] if "F" in names else []
    tensor = "Tensor, nn" if "Tensor" in names else "nn"
    flexible = [name for name in FLEXIBLE if name in names]
    flex = [f"from torch.nn.attention.flex_attention import {', '.join(flexible)}"] if flexible else []
    if flex and not fits(flex[0], 0):
        flex = [f"{flex[0].partition('import')[0]}import (", *(f"    {name}," for name in flexible), ")"]
    return [*standard, *([""] if standard else []), *torch, *functional, f"from torch import {tensor}", *flex]


def _kernels(model: Model) -> list[str]:
    """Imports of files of kernels, apart from those of torch."""
    lines = model.classes.parts.kernel_imports
    return ["", *lines] if lines else []


def _heading(model: Model, attention: str, provenance: str, picked: Sequence[Picked]) -> list[str]:
    graph = model.graph
    title = f"{model.name}: {_uncapitalised(graph.summary)}" if graph.summary else f"{model.name}."
    lines = [*title.splitlines(), ""]
    lines += [f"Source   {line}" for line in graph.source.splitlines()]
    lines.append(f"Spec     {provenance or graph.name}; attention={attention}")
    lines += [f"         {each}" for each in picked]
    lines.append(f"Size     {parameter_count(graph):,} parameters")
    past = (
        f"; {graph.stream} grows while decoding, past = tokens already in the cache" if graph.stream else ""
    )
    return [*lines, f"Dims     {', '.join(graph.dims)}{past}"] if graph.dims else lines


def _uncapitalised(text: str) -> str:
    """The text to stand behind a colon; an abbreviation keeps its capitals."""
    return text if text[1:2].isupper() else text[:1].lower() + text[1:]


def _output(model: Model) -> list[list[str]]:
    """The named tuple of several results."""
    if len(model.graph.outputs) == 1:
        return []
    fields = [f"    {name}: Tensor  # {shape_text(v.type)}" for name, v in model.graph.outputs]
    return [["class Output(NamedTuple):", *docstring(["What the model gives."], 4), "", *fields]]


__all__ = ["emit"]
