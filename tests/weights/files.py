"""Safetensors files written byte by byte, so that tests can write wrong ones."""

import json
from pathlib import Path
from typing import Any


def entry(shape: list[int], start: int, dtype: str = "F32", stop: int | None = None) -> dict[str, Any]:
    size = 4
    for axis in shape:
        size *= axis
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, start + size if stop is None else stop]}


def raw(header: bytes, data: bytes = b"", length: int | None = None) -> bytes:
    return (len(header) if length is None else length).to_bytes(8, "little") + header + data


def safetensors(header: Any, data: bytes = b"") -> bytes:
    return raw(json.dumps(header).encode(), data)


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def plain(names: list[str]) -> bytes:
    """A sound file of float32 vectors of two elements."""
    header = {name: entry([2], 8 * place) for place, name in enumerate(names)}
    return safetensors(header, bytes(8 * len(names)))
