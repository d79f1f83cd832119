"""Losses: a graph that is exported has none."""

from archspec.backends.onnx.place import RULES
from archspec.ir.ops.loss import CrossEntropy, MeanError

for _loss in (CrossEntropy, MeanError):
    RULES.unsupported(_loss, "the exported graph is for inference, where nothing is minimised")
