"""Products and convolutions in 8 bits whose ranges were seen beforehand, on data that the caller gives.

The work is ONNX Runtime's own `quantize_static`, kept to the operators that it has kernels for.
https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import onnx_ir as ir
from onnxruntime import quantization

from archspec.backends.onnx.quantize.stored import lazy
from archspec.errors import ArchspecError, Diagnostic

Array: TypeAlias = np.ndarray[Any, Any]
OPERATORS = ("MatMul", "Gemm", "Conv")
PREPARED = {
    "onnx.quant.pre_process": "onnxruntime.quant"
}  # else the library warns that its own fusions did not run
_LIBRARY: Any = quantization


def quantize_static(model: ir.Model, batches: Iterable[Mapping[str, Array]], scratch: Path) -> ir.Model:
    """The float32 model in 8 bits; `batches` are inputs of it by name, one after the other.

    Activations are unsigned with a scale and a zero point for a tensor; weights signed, symmetric, with a
    scale for each output channel. Files in the folder `scratch` hold the weights until the result is saved.
    Raises ArchspecError O032 without a batch.
    """
    seen = _Batches(batches)
    if seen.first is None:
        hint = "give inputs like those that the model will see"
        raise ArchspecError(Diagnostic("O032", "there is no data to calibrate with", None, hint))
    before, after = scratch / "float.onnx", scratch / "static.onnx"
    model.metadata_props.update(PREPARED)
    ir.save(model, before, external_data="float.onnx_data")
    _LIBRARY.quantize_static(
        before,
        after,
        _reader(seen),
        quant_format=_LIBRARY.QuantFormat.QDQ,
        op_types_to_quantize=list(OPERATORS),
        per_channel=True,
        activation_type=_LIBRARY.QuantType.QUInt8,
        weight_type=_LIBRARY.QuantType.QInt8,
        use_external_data_format=True,
        extra_options={"WeightSymmetric": True, "ActivationSymmetric": False, "MatMulConstBOnly": True},
    )
    return _loaded(after)


def _loaded(file: Path) -> ir.Model:
    """A model whose weights are read when they are saved."""
    model = ir.load(file)
    for value in model.graph.initializers.values():
        tensor = value.const_value
        if isinstance(tensor, ir.ExternalTensor):
            value.const_value = lazy(str(value.name), tensor.dtype, tensor.shape.numpy(), tensor.numpy)
    return model


class _Batches:
    """Batches, the first of which is looked at before the rest is asked for."""

    def __init__(self, batches: Iterable[Mapping[str, Array]]) -> None:
        self.rest: Iterator[Mapping[str, Array]] = iter(batches)
        self.first = next(self.rest, None)

    def next(self) -> Mapping[str, Array] | None:
        given, self.first = self.first, None
        return given if given is not None else next(self.rest, None)


def _reader(seen: _Batches) -> Any:
    """What the library takes batches from; None ends them."""

    class Reader(_LIBRARY.CalibrationDataReader):
        def get_next(self) -> dict[str, Array] | None:
            given = seen.next()
            return None if given is None else dict(given)

    return Reader()
