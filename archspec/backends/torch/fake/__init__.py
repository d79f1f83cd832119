"""PyTorch on shapes: what a run of emitted source allocates, keeps for the backward pass, and computes."""
