"""Reading the header of a safetensors file, which may be truncated or hostile, without torch.

Layout (https://github.com/huggingface/safetensors#format): eight bytes with the length N of the header,
little endian; N bytes of JSON; the data. Every tensor's `data_offsets` count from the start of the data. They
must cover the data without holes or overlap, as the reference reader demands.
"""

from __future__ import annotations

import json
from math import prod
from pathlib import Path
from typing import cast

from msgspec import Struct

from archspec.errors import Diagnostic, WeightsError
from archspec.weights.arrays import Shape, TensorSpec

MAX_HEADER = 100_000_000
_MAX_SIZE = 2**48
_MAX_AXES = 32
_MAX_NAME = 1000
# Name in the file: (bits per element, torch's name).
_DTYPES: dict[str, tuple[int, str]] = {
    "BOOL": (8, "bool"),
    "U8": (8, "uint8"),
    "I8": (8, "int8"),
    "U16": (16, "uint16"),
    "I16": (16, "int16"),
    "U32": (32, "uint32"),
    "I32": (32, "int32"),
    "U64": (64, "uint64"),
    "I64": (64, "int64"),
    "F16": (16, "float16"),
    "BF16": (16, "bfloat16"),
    "F32": (32, "float32"),
    "F64": (64, "float64"),
    "C64": (64, "complex64"),
    "F8_E4M3": (8, "float8_e4m3fn"),
    "F8_E5M2": (8, "float8_e5m2"),
    "F8_E4M3FNUZ": (8, "float8_e4m3fnuz"),
    "F8_E5M2FNUZ": (8, "float8_e5m2fnuz"),
    "F8_E8M0": (8, "float8_e8m0fnu"),
    "F6_E2M3": (6, "float6_e2m3fn"),
    "F6_E3M2": (6, "float6_e3m2fn"),
    "F4": (4, "float4_e2m1fn"),
}


class _Malformed(ValueError):
    """The header breaks a rule of the format; the message says which."""


class Stored(Struct, frozen=True):
    """One tensor of a file, and the bytes of the data that hold it."""

    spec: TensorSpec
    start: int
    stop: int


def read_header(path: Path) -> dict[str, Stored]:
    """The tensors of a safetensors file by name, in the order of their data.

    Raises WeightsError W022 where the file is not whole and sound, W020 where it cannot be read.
    """
    try:
        text, data_size = _header_bytes(path)
        return _checked(_entries(text), data_size)
    except _Malformed as error:
        raise WeightsError(Diagnostic("W022", f"{path} is not a sound safetensors file: {error}")) from error
    except OSError as error:
        raise WeightsError(Diagnostic("W020", f"cannot read {path}: {error.strerror}")) from error


def data_start(path: Path) -> int:
    """Where the data of a safetensors file begins: what offsets in its header count from, in bytes.

    Raises WeightsError W020 where the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return 8 + int.from_bytes(file.read(8), "little")
    except OSError as error:
        raise WeightsError(Diagnostic("W020", f"cannot read {path}: {error.strerror}")) from error


def _header_bytes(path: Path) -> tuple[bytes, int]:
    if path.exists() and not path.is_file():
        raise _Malformed("it is not a regular file")
    with path.open("rb") as file:
        size = path.stat().st_size
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > size - 8:
            raise _Malformed(f"it has {size} bytes, too few for its header; the download may be incomplete")
        if length > MAX_HEADER:
            raise _Malformed(f"its header of {length} bytes is above the limit of {MAX_HEADER}")
        return file.read(length), size - 8 - length


def _entries(text: bytes) -> dict[str, object]:
    if not text.startswith(b"{"):
        raise _Malformed("its header does not begin with `{`")
    try:
        header = json.loads(text, object_pairs_hook=_unique)
    except _Malformed:
        raise
    except (ValueError, RecursionError) as error:
        raise _Malformed("its header is not JSON") from error
    entries = cast("dict[str, object]", header)
    if not _is_metadata(entries.pop("__metadata__", {})):
        raise _Malformed("its __metadata__ is not an object of strings")
    return entries


def _is_metadata(value: object) -> bool:
    if not isinstance(value, dict):
        return False
    return all(isinstance(text, str) for text in cast("dict[str, object]", value).values())


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    entries = dict(pairs)
    if len(entries) < len(pairs):
        raise _Malformed("its header names something twice")
    return entries


def _checked(entries: dict[str, object], data_size: int) -> dict[str, Stored]:
    """The entries as tensors, which together cover the data exactly."""
    tensors = sorted(((name, _stored(name, entry)) for name, entry in entries.items()), key=_place)
    reached = 0
    for name, tensor in tensors:
        if tensor.start != reached:
            raise _Malformed(f"'{name}' begins at byte {tensor.start} of the data instead of {reached}")
        reached = tensor.stop
    if reached != data_size:
        raise _Malformed(f"its tensors need {reached} bytes of data, but it has {data_size}")
    return dict(tensors)


def _place(item: tuple[str, Stored]) -> tuple[int, int]:
    return item[1].start, item[1].stop


def _stored(name: str, entry: object) -> Stored:
    if not name.isprintable() or len(name) > _MAX_NAME:  # it would reach a terminal
        raise _Malformed(f"{name[:40]!a} is not a name of at most {_MAX_NAME} printable characters")
    if not isinstance(entry, dict):
        raise _Malformed(f"'{name}' is not described by an object")
    described = cast("dict[str, object]", entry)
    if described.keys() != {"dtype", "shape", "data_offsets"}:
        raise _Malformed(f"'{name}' must have exactly dtype, shape and data_offsets")
    bits, dtype = _dtype(name, described["dtype"])
    shape = _numbers(name, "shape", described["shape"])
    offsets = _numbers(name, "data_offsets", described["data_offsets"])
    if len(offsets) != 2 or offsets[1] - offsets[0] != prod(shape) * bits // 8 or prod(shape) * bits % 8:
        raise _Malformed(f"the data_offsets of '{name}' do not fit its shape and dtype")
    return Stored(TensorSpec(shape, dtype), *offsets)


def _dtype(name: str, value: object) -> tuple[int, str]:
    if not isinstance(value, str) or value not in _DTYPES:
        raise _Malformed(f"'{name}' has an unknown dtype")
    return _DTYPES[value]


def _numbers(name: str, field: str, value: object) -> Shape:
    numbers = cast("list[object]", value) if isinstance(value, list) else None
    if numbers is None or len(numbers) > _MAX_AXES or not all(_is_size(number) for number in numbers):
        raise _Malformed(f"the {field} of '{name}' must be a list of at most {_MAX_AXES} sizes")
    return cast("tuple[int, ...]", tuple(numbers))


def _is_size(value: object) -> bool:
    return type(value) is int and 0 <= value < _MAX_SIZE
