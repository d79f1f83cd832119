"""Bytes of one number."""

from __future__ import annotations

from archspec.errors import ArchspecError, Diagnostic, did_you_mean

WIDTHS = {
    "float64": 8, "float32": 4, "bfloat16": 2, "float16": 2, "float8": 1,
    "int64": 8, "int32": 4, "int8": 1, "uint8": 1, "bool": 1,
}  # fmt: skip
BUILT = ("float32", "bfloat16", "float16", "float64", "float8", "int8")


def width(dtype: str, built: str) -> int:
    """Bytes of a number of the IR's `dtype`, where `float` is what the model is built in.

    Raises ArchspecError A005 where a model cannot be built, or kept, in `built`.
    """
    if built not in BUILT:
        hint = did_you_mean(built, BUILT) or f"one of: {', '.join(BUILT)}"
        raise ArchspecError(Diagnostic("A005", f"no model is kept in '{built}'", None, hint))
    return WIDTHS[built if dtype == "float" else dtype]
