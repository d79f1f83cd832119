"""PyTorch: a graph as readable source, which is also what runs."""
