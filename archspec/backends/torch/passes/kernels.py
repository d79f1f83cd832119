"""Attentions that generated kernels compute."""

from __future__ import annotations

from collections.abc import Mapping

from archspec.backends.torch.choice import Pick
from archspec.backends.torch.dialect import AttendByKernel
from archspec.backends.torch.kernels.describe import describe
from archspec.backends.torch.kernels.module import kernel_file
from archspec.backends.torch.walk import map_attentions
from archspec.ir.graph import Apply, Region, walk
from archspec.ir.ops.attention import Attention


def attend_by_kernels(root: Region, pick: Pick) -> Region:
    """Afterwards each `Attention` for which `triton` is picked is an `AttendByKernel`."""
    return map_attentions(
        root, lambda node, op, _: [_by_kernel(node, op) if pick(op, node.inputs) == "triton" else node]
    )


def kernel_files(root: Region) -> Mapping[str, str]:
    """The files of kernels that the attentions of a graph need: name of the module, text."""
    nodes = (node for _, region, _ in walk(root) for node in region.nodes)
    attentions = ((x.op, x.inputs) for x in nodes if isinstance(x, Apply) and isinstance(x.op, Attention))
    files = [kernel_file(describe(op, inputs).description) for op, inputs in attentions]
    return {file.name: file.text for file in sorted(files, key=lambda file: file.name)}


def _by_kernel(node: Apply, op: Attention) -> Apply:
    found = describe(op, node.inputs)
    sinks = node.inputs[4:5] if found.description.sunk else ()
    kernel = AttendByKernel(
        kernel_file(found.description).name,
        found.description,
        found.numbers,
        op.scale,
        op.softcap,
        op.dropout,
        op.start,
    )
    return Apply(kernel, (*node.inputs[:3], *found.tensors, *sinks), node.outputs, node.span)
