"""Reading and writing tiles."""

import triton
import triton.language as tl

LOG2E = tl.constexpr(1.4426950408889634)
NOTHING = tl.constexpr(-1.0e30)  # the score of a pair that does not count: finite, so that differences are


@triton.jit
def matrix(x, stride, length, E: tl.constexpr, ROWS: tl.constexpr, WIDTH: tl.constexpr, TMA: tl.constexpr):
    """A matrix [length, E] to read tiles [ROWS, WIDTH] of: a descriptor for TMA, else its pointer."""
    if TMA:
        return tl.make_tensor_descriptor(x, [length, E], [stride, 1], [ROWS, WIDTH])
    else:
        return x


@triton.jit
def tile_rows(
    x,
    first,
    stride,
    length,
    E: tl.constexpr,
    ROWS: tl.constexpr,
    WIDTH: tl.constexpr,
    TMA: tl.constexpr,
    RAGGED: tl.constexpr,
):
    """Rows first to first + ROWS of a matrix [length, E], as [ROWS, WIDTH]; 0 beyond its ends."""
    if TMA:
        return x.load([first, 0])
    else:
        row = tl.arange(0, ROWS)[:, None]
        column = tl.arange(0, WIDTH)[None, :]
        places = x + tl.full([], first, tl.int64) * stride + row * stride + column
        if RAGGED:
            return tl.load(places, mask=(first + row < length) & (column < E), other=0.0)
        elif WIDTH != E:
            return tl.load(places, mask=column < E, other=0.0)
        else:
            return tl.load(places)


@triton.jit
def write_rows(x, value, first, stride, length, E: tl.constexpr, ROWS: tl.constexpr, WIDTH: tl.constexpr):
    """Puts [ROWS, WIDTH] into rows from `first` on of a matrix [length, E], without what lies beyond."""
    row = tl.arange(0, ROWS)[:, None]
    column = tl.arange(0, WIDTH)[None, :]
    places = x + tl.full([], first, tl.int64) * stride + row * stride + column
    tl.store(places, value.to(x.dtype.element_ty), mask=(first + row < length) & (column < E))


@triton.jit
def head(x, b, h, x_b, x_h):
    """Where the matrix of a head begins."""
    return x + b.to(tl.int64) * x_b + h.to(tl.int64) * x_h


@triton.jit
def floor_div(x, by):
    """x // by rounded down, for by > 0: Triton rounds towards 0."""
    return tl.where(x < 0, -((by - 1 - x) // by), x // by)


@triton.jit
def floor_mod(x, by):
    """x - x // by * by, which is not below 0."""
    return x - floor_div(x, by) * by


@triton.jit
def sequence(x, length, COUNT: tl.constexpr, TMA: tl.constexpr):
    """Numbers [length] to read COUNT at a time of: a descriptor for TMA, else their pointer."""
    if TMA:
        return tl.make_tensor_descriptor(x, [length], [1], [COUNT])
    else:
        return x


@triton.jit
def numbers_at(x, first, length, COUNT: tl.constexpr, TMA: tl.constexpr, beyond):
    """Numbers first to first + COUNT of `length`; `beyond` its end, but for 0 with TMA."""
    if TMA:
        return x.load([first])
    else:
        place = first + tl.arange(0, COUNT)
        return tl.load(x + place, mask=place < length, other=beyond)


@triton.jit
def some(x):
    """Whether anything in a block is true."""
    return tl.max(x.to(tl.int32)) > 0


@triton.jit
def overlap(x, y):
    """Whether what is in two blocks lies in ranges that meet: if not, nothing in them is equal."""
    return (tl.max(x) >= tl.min(y)) & (tl.min(x) <= tl.max(y))


@triton.jit
def powered(x, n):
    """x ** n; a negative x has powers of whole numbers n alone."""
    size = tl.exp2(n * tl.log2(tl.abs(x).to(tl.float32)))
    odd = floor_mod(n, 2) == 1
    signed = tl.where(x < 0, tl.where(odd, -size, tl.where(floor_mod(n, 1) == 0, size, float("nan"))), size)
    return tl.where(n == 0, 1.0, signed)
