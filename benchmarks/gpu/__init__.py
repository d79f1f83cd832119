"""Generated kernels on a GPU: are they right, which tiles are fastest, how fast is that, and beside what.

`prepare` writes everything into a small folder, with archspec; `run` measures it, with torch and
triton alone.
"""
