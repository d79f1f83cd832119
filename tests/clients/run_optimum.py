"""Runs in the environment of optimum: CLASS FOLDER GIVEN.npz FOUND.npz [LIMIT].

Calls a model of that class with the arrays that are given, or generates so many tokens greedily, and saves
what it says.
"""

# pyright: basic, reportMissingImports=false, reportArgumentType=false
# The package is only in that environment.

import sys

import numpy as np
import optimum.onnxruntime as runtimes
import torch

kind, folder, given, found, *limit = sys.argv[1:]
model = getattr(runtimes, kind).from_pretrained(folder)
with np.load(given) as file:
    inputs = {name: torch.from_numpy(array) for name, array in file.items()}
if limit:
    count = int(limit[0])
    tokens = model.generate(**inputs, max_new_tokens=count, do_sample=False, num_beams=1)
    np.savez(found, tokens=tokens.numpy())
else:
    result = model(**inputs)
    np.savez(
        found, **{name: value.numpy() for name, value in result.items() if isinstance(value, torch.Tensor)}
    )
