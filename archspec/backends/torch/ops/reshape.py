"""The shortest way to write a reshape: an inserted or dropped axis, one merge, one split, or `reshape`.

A size counts as 1 only where it is written so, and sizes that are read twice are matched by their
names first: the source then stays right when a setting with another value is used.
"""

from __future__ import annotations

from collections.abc import Sequence

from archspec.backends.torch.code import ATOM, Code, Emission
from archspec.backends.torch.ops.write import is_plain, method, tuple_
from archspec.dims import num as n
from archspec.dims.expr import Literal
from archspec.dims.num import Num
from archspec.ir.types import Shape


def reshaped(place: Emission, x: Code, old: Shape, new: Shape) -> Code:
    """`x`, of shape `old`, as `new`."""
    if _equal(old, new):
        return x
    if (kept := _without_ones(old, new)) is not None:
        return Code(f"{x.atom}[{_new_axes(kept, len(new))}]")
    if (kept := _without_ones(new, old)) is not None:
        gone = [str(i) for i in range(len(old)) if i not in kept]
        return method(x, "squeeze", gone[0] if len(gone) == 1 else tuple_(gone))
    if (merged := _run(old, new)) is not None:
        return _flatten(x, merged, len(old))
    if (split := _run(new, old)) is not None:
        first, last = split
        axis = "-1" if last == len(new) - 1 else str(first)
        return method(x, "unflatten", axis, tuple_(sizes(place, new[first : last + 1])))
    return method(x, "reshape", *(sizes(place, new) or ["()"]))


def sizes(place: Emission, shape: Sequence[Num]) -> list[str]:
    """Sizes for `reshape`: -1 stands for the one that is longest to say, if one is."""
    codes = [place.number(d) for d in shape]
    hard = [i for i, code in enumerate(codes) if not is_plain(code.text)]
    texts = [code.text for code in codes]
    if hard:
        texts[max(hard, key=lambda i: (codes[i].level < ATOM, i))] = "-1"
    return texts


def is_one(size: Num) -> bool:
    return isinstance(size.expr, Literal) and size.value == 1


def _equal(a: Sequence[Num], b: Sequence[Num]) -> bool:
    return len(a) == len(b) and all(map(n.same, a, b))


def _names_kept(a: Sequence[Num], b: Sequence[Num]) -> int:
    return sum(str(x) == str(y) for x, y in zip(a, b, strict=True))


def _without_ones(short: Shape, long: Shape) -> list[int] | None:
    """The axes of `long` that are the axes of `short`, where the others are written 1."""
    kept: list[int] = []
    for i, size in enumerate(long):
        if len(kept) < len(short) and n.same(size, short[len(kept)]):
            kept.append(i)
        elif not is_one(size):
            return None
    return kept if len(kept) == len(short) < len(long) else None


def _new_axes(kept: Sequence[int], rank: int) -> str:
    """The index that inserts axes: `:, None`, `..., None`."""
    items = [":" if i in kept else "None" for i in range(rank)]
    while items[-1] == ":":
        items.pop()
    lead = items.index("None")
    if lead > 1 and lead == len(kept):
        items[:lead] = ["..."]
    return ", ".join(items)


def _run(many: Shape, few: Shape) -> tuple[int, int] | None:
    """First and last axis of `many` that are one axis of `few`; of several readings, the one by name."""
    extra = len(many) - len(few)
    fits = [
        i
        for i in range(len(few) if extra > 0 else 0)
        if _equal(many[:i], few[:i]) and _equal(many[i + extra + 1 :], few[i + 1 :])
    ]
    if not fits:
        return None
    first = max(fits, key=lambda i: _names_kept(many[:i] + many[i + extra + 1 :], few[:i] + few[i + 1 :]))
    return first, first + extra


def _flatten(x: Code, run: tuple[int, int], rank: int) -> Code:
    first, last = run
    if last < rank - 1:
        return method(x, "flatten", str(first), str(last))
    return method(x, "flatten", str(first) if first else None)
