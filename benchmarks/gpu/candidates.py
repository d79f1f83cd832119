"""Tiles to try for each kernel (KERNELS.md, C5): M, N, warps, stages, tma, one_loop, special."""

from __future__ import annotations

Tiles = tuple[int, ...]

WIDE: dict[str, tuple[Tiles, ...]] = {
    "forward": (
        (128, 64, 8, 3), (128, 128, 8, 2), (64, 128, 4, 2), (64, 64, 4, 3), (128, 64, 4, 3),
        (128, 64, 8, 3, 1), (128, 128, 8, 2, 1), (128, 128, 4, 2, 1, 1, 1), (128, 64, 4, 3, 1, 1, 1),
    ),
    "backward_queries": (
        (64, 64, 4, 2), (128, 64, 8, 2), (64, 64, 4, 2, 1), (128, 64, 8, 2, 1), (128, 64, 4, 2, 1, 1, 1),
    ),
    "backward_keys": (
        (32, 128, 8, 2), (64, 128, 8, 2), (64, 64, 4, 2), (32, 128, 8, 3), (32, 128, 8, 2, 1),
        (64, 128, 8, 2, 1), (64, 128, 4, 2, 1, 1, 1),
    ),
    "backward_score": ((32, 32, 4, 2), (64, 64, 4, 2), (64, 64, 8, 2), (32, 32, 4, 1)),
    "decode": (
        (16, 64, 4, 3), (16, 128, 4, 3), (16, 128, 4, 2), (16, 64, 4, 4), (16, 32, 4, 4), (16, 128, 8, 3),
    ),
}  # fmt: skip
NARROW = WIDE | {"forward": (*WIDE["forward"], (128, 128, 4, 3), (64, 128, 4, 3), (128, 64, 4, 2))}
BEFORE_90 = {
    "forward": ((128, 64, 4, 3), (128, 64, 8, 3), (64, 64, 4, 3), (128, 128, 8, 2)),
    "backward_queries": ((64, 64, 4, 2), (128, 64, 8, 2), (64, 32, 4, 2)),
    "backward_keys": ((64, 64, 4, 2), (32, 128, 8, 2), (32, 64, 4, 2)),
}
DRY: Tiles = (32, 32, 4, 1)
KERNELS = tuple(WIDE)


def candidates(kernel: str, capability: int, width: int) -> tuple[Tiles, ...]:
    """For a kernel, a compute capability (90: Hopper; 0: none) and features of a head."""
    if capability == 0:
        return (DRY,)
    known = NARROW if width <= 64 else WIDE
    return known[kernel] if capability >= 90 else BEFORE_90.get(kernel, known[kernel])


def row(kernel: str, capability: int, width: int, tiles: Tiles) -> str:
    """As the table in template/launch.py writes it."""
    hints = "".join(
        f", {word}=True" for word, on in zip(("tma", "one_loop", "special"), tiles[4:], strict=False) if on
    )
    return f'("{kernel}", {capability}, {width}): Tiles({", ".join(map(str, tiles[:4]))}{hints}),'
