"""Generated files, loaded and called; nothing here is of archspec."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from benchmarks.gpu.candidates import Tiles
from benchmarks.gpu.cases import Case
from benchmarks.gpu.operands import Operands

POWERS = (16, 32, 64, 128, 256)


@cache
def index(folder: Path) -> dict[str, Any]:
    """What `prepare` wrote: each case's file and its kernels, each model's modules."""
    return json.loads((folder / "cases.json").read_text("utf-8"))


@cache
def module_at(path: Path) -> ModuleType:
    """A Python file as a module, by its own name, so that a model beside it finds it."""
    if path.stem in sys.modules and path.stem.startswith("attention_"):
        return sys.modules[path.stem]
    name = path.stem if path.stem.startswith("attention_") else f"{path.parent.name}_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]  # or the next one to ask would find half of it
        raise
    return module


def module_of(folder: Path, case: Case) -> ModuleType:
    """The kernels of a case. Raises ValueError where the folder was prepared for another one of that name."""
    known = index(folder)["cases"].get(case.name)
    if known is None or known["rule"] != case.rule or known["score"] != case.score:
        raise ValueError(f"{folder} was not prepared for '{case.name}': prepare it again")
    return module_at(folder / "kernels" / known["file"])


def attend(module: ModuleType, case: Case, x: Operands) -> Tensor:
    """The result of the generated kernels."""
    named: dict[str, Any] = {"cap": case.cap} if case.cap is not None else {}
    named |= {"sinks": x.sinks} if x.sinks is not None else {}
    return module.attention(
        x.q, x.k, x.v, *x.tables.values(), *case.numbers.values(), **named, start=case.start
    )


Row = tuple[str, int, Tiles]  # a kernel, features of a head, its tiles


@contextmanager
def tiled(modules: Iterable[ModuleType], rows: Iterable[Row], at: int) -> Iterator[None]:
    """With these rows in the modules' tables, for the compute capability `at`."""
    kept = [(module.TABLE, dict(module.TABLE)) for module in modules]
    try:
        for module in modules:
            for kernel, width, tiles in rows:
                module.TABLE[kernel, at, width] = module.Tiles(*tiles[:4], *map(bool, tiles[4:]))
        yield
    finally:
        for table, rows_before in kept:
            table.clear()
            table.update(rows_before)


def row_width(widest: int) -> int:
    """The table's row for heads of so many features."""
    return next(x for x in POWERS if x >= widest)


def row_capability(device: torch.device) -> int:
    """As the table's rows have it; 80 in the interpreter, 0 on AMD."""
    if device.type != "cuda":
        return 80
    major, minor = torch.cuda.get_device_capability(device)
    return 0 if torch.version.hip else 10 * major + minor
