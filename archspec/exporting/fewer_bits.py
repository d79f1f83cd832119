"""What is asked of the weights of an export, as a change of each of its models."""

from __future__ import annotations

import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import onnx_ir as ir

from archspec.backends.onnx.quantize import Want, quantize
from archspec.errors import ArchspecError, Diagnostic
from archspec.exporting import cases
from archspec.exporting.files import Change, unchanged
from archspec.exporting.format import Format
from archspec.ir.graph import Graph


@contextmanager
def fewer_bits(graph: Graph, asked: Format, reference: bool) -> Generator[Change]:
    """What quantises a model; its weights can be read until the block ends.

    Raises ArchspecError O032 where there is no data for fixed ranges, O033 where weights are to stay where
    they lie, O034 where a model takes more than inputs; what reading recorded inputs raises.
    """
    if asked.quantize is None:
        yield unchanged
        return
    if reference:
        message = "weights that stay in a checkpoint keep their bits"
        raise ArchspecError(Diagnostic("O033", message, None, "leave --reference or --quantize out"))
    if asked.quantize == "int8-static":
        with tempfile.TemporaryDirectory() as scratch:
            yield _by_ranges(graph, asked.calibration, Path(scratch))
        return
    yield _by_weights(Want(asked.quantize, embeddings=asked.embeddings))


def _by_weights(want: Want) -> Change:
    def change(model: ir.Model) -> ir.Model:
        quantize(model, want)
        return model

    return change


def _by_ranges(graph: Graph, calibration: Path | None, scratch: Path) -> Change:
    from archspec.backends.onnx.quantize.static import quantize_static  # lazy: needs ONNX Runtime

    batches = [case.inputs for case in cases.load(graph, calibration)] if calibration else []

    def change(model: ir.Model) -> ir.Model:
        taken = {str(value.name) for value in model.graph.inputs}
        if batches and (state := sorted(taken - batches[0].keys())):
            message = f"ranges are seen in inputs alone, and the model takes {', '.join(state[:3])} as well"
            raise ArchspecError(Diagnostic("O034", message, None, "use --mode full, or --quantize int8"))
        given = [{name: x for name, x in batch.items() if name in taken} for batch in batches]
        return quantize_static(model, given, scratch)

    return change
