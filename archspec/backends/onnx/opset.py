"""Whether every operator of a model is in the opset that it names."""

from __future__ import annotations

import onnx_ir as ir
from onnx import defs

from archspec.backends.onnx.tape import CONTRIB
from archspec.errors import Collector, UnsupportedError


def check_opset(model: ir.Model) -> None:
    """Raises UnsupportedError O001 with every operator that the opset of the model lacks, each once."""
    found = Collector()
    version = model.opset_imports[""]
    for kind in sorted({node.op_type for node in model.graph.all_nodes() if node.domain in ("", "ai.onnx")}):
        if not _has(kind, version):
            since = _since(kind)
            hint = f"it is there from opset {since} on: choose another profile" if since else None
            found.add("O001", f"opset {version} has no operator {kind}", None, hint)
    foreign = {node.domain for node in model.graph.all_nodes()} - {"", "ai.onnx", *model.opset_imports}
    for domain in sorted(foreign - {CONTRIB}):
        found.add("O001", f"the model imports no operators of {domain}")
    found.raise_if_any(UnsupportedError)


def _has(kind: str, version: int) -> bool:
    return defs.has(kind, version, "")


def _since(kind: str) -> int | None:
    return min((s.since_version for s in defs.get_all_schemas_with_history() if s.name == kind), default=None)
