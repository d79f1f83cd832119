"""Attention as Triton kernels: a readable file for each structure, made from what the attention says."""
