"""ONNX: a graph as a model file, for ONNX Runtime and whoever else reads it."""
