"""Tensor names and layouts: one invertible map between a model and its published checkpoints.

Start at `mapping.py`. Only the files whose names end in `_torch` import torch.
"""
