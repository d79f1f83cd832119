"""A model under ONNX Runtime, as `bench` measures it in a process of its own, without torch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from archspec.backends.onnx.runtime import Session
from archspec.measuring.worker import FIRST


def hold(runtime: str, folder: Path, threads: int) -> Callable[[], object]:
    """The model of the folder with its inputs bound; what it gives at first is kept as `FIRST`."""
    session = Session(folder / "model.onnx", threads=threads)
    with np.load(folder / "given.npz") as file:
        given = dict(file)
    np.savez(folder / FIRST, allow_pickle=False, **session.run(given))
    return session.bound(given)
