"""Products of a model in fewer bits. `quantize` rewrites a model before it is saved."""

from archspec.backends.onnx.quantize.rewrite import FORMS, Form, Quantized, Want, quantize

__all__ = ["FORMS", "Form", "Quantized", "Want", "quantize"]
