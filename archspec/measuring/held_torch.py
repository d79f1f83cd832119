"""A model under torch, eager or compiled, as `bench` measures it in a process of its own."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import torch as safetensors
from torch import Tensor

from archspec import model
from archspec.ir import text_parse
from archspec.ir.graph import Graph
from archspec.measuring import workloads
from archspec.measuring.worker import FIRST


def hold(runtime: str, folder: Path, threads: int) -> Callable[[], object]:
    """The model of the folder with its inputs; what it gives at first is kept as `FIRST`."""
    torch.set_num_threads(threads)
    graph = text_parse.read((folder / "model.ir").read_text(encoding="utf-8"))
    source = (folder / "model.py").read_text(encoding="utf-8")
    module: Any = model.make(source, graph, state=safetensors.load_file(folder / "model.safetensors"))
    if runtime == "torch.compile":
        module.compile()
    given = safetensors.load_file(folder / "given.safetensors")
    past = json.loads((folder / "past.json").read_text(encoding="ascii"))
    if past is None:
        work = workloads.forward(module, given)
    else:
        work = workloads.decoding(module, safetensors.load_file(folder / "prompt.safetensors"), given, past)

    def run() -> object:
        work.before()
        return work.call()

    with torch.no_grad():
        np.savez(folder / FIRST, **_named(graph, run()))
    return run


def _named(graph: Graph, result: Any) -> dict[str, Any]:
    results = (result,) if isinstance(result, Tensor) else result
    return {name: x.float().numpy() for (name, _), x in zip(graph.outputs, results, strict=True)}
