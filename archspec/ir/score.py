"""A rule for what is added to the scores of attention: a number at each pair of a query and a key.

It is made of the positions `b`, `h`, `q`, `k`, of numbers by name, of elements of tensors, `t[h, k - q + 1]`,
and of `+ - * / // % **`, abs, min, max, exp, log and sqrt of these.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from archspec.dims.expr import Binary, Call, Expr, Index, Literal, Name, Unary, children, write
from archspec.dims.num import Num
from archspec.ir.types import INTEGERS, ShapeError, TensorType, is_float, require, same_size

PLACES = ("b", "h", "q", "k")
ARITHMETIC = ("+", "-", "*", "/", "//", "%", "**")
FRACTIONS = ("exp", "log", "sqrt")
FUNCTIONS = ("abs", "min", "max", *FRACTIONS)


def lookups(rule: Expr) -> tuple[Index, ...]:
    """The elements of tensors that a rule reads, also those that only say where to look."""
    own = (rule,) if isinstance(rule, Index) else ()
    return (*own, *(x for part in children(rule) for x in lookups(part)))


def bare(rule: Expr) -> frozenset[str]:
    """Positions that a rule computes with, also to say where to look: all but the `h` of `t[h]`."""
    if isinstance(rule, Name):
        return frozenset({rule.id} & {*PLACES})
    whole = isinstance(rule, Index)
    parts = (part for part in children(rule) if not (whole and isinstance(part, Name)))
    return frozenset(word for part in parts for word in bare(part))


def operations(rule: Expr) -> int:
    """Operations on single numbers that the rule takes at each pair; looking an element up is none."""
    inner = sum(map(operations, children(rule)))
    if isinstance(rule, Call):
        return inner + max(1, len(rule.args) - 1)
    return inner + isinstance(rule, Binary | Unary)


def _takes(function: str, count: int) -> bool:
    return count > 1 if function in ("min", "max") else function in FUNCTIONS and count == 1


class Reading(Struct, frozen=True):
    """What the names of a rule stand for. `sizes`: how many there are of `b` and `h`, where that is known."""

    tensors: Mapping[str, TensorType]
    numbers: Mapping[str, Num]
    sizes: Mapping[str, Num]

    def whole(self, rule: Expr) -> bool:
        """Whether the rule is an integer at every pair. Raises `ShapeError` for what is no rule."""
        match rule:
            case Literal(value=int() | float() as value) if not isinstance(value, bool):
                return isinstance(value, int)
            case Name(id=word):
                return self._named(word)
            case Index(base=Name(id=word)):
                return self._looked_up(rule, word)
            case Unary(op="-", operand=inner):
                return self.whole(inner)
            case Binary(op=op, left=left, right=right) if op in ARITHMETIC:
                return self._all_whole(left, right) and op not in ("/", "**")
            case Call(function=function, args=args, kwargs=()) if _takes(function, len(args)):
                return self._all_whole(*args) and function not in FRACTIONS
            case _:
                message = f"the score has '{write(rule)}', which is no number at each pair"
                raise ShapeError("T010", message, f"{' '.join(ARITHMETIC)}, {', '.join(FUNCTIONS)}")

    def _all_whole(self, *parts: Expr) -> bool:
        found = [self.whole(part) for part in parts]
        return all(found)

    def _named(self, word: str) -> bool:
        require(word not in self.tensors, "T013", f"the score reads {word} without saying which element")
        given = word in PLACES or word in self.numbers
        require(given, "T015", f"the score reads {word}, but is not given it")
        return word in PLACES or not isinstance(self.numbers[word].value, float)

    def _looked_up(self, part: Index, word: str) -> bool:
        require(word in self.tensors, "T015", f"the score reads {word}, but is not given it")
        type_, wanted = self.tensors[word], len(part.items)
        require(type_.rank == wanted, "T013", f"the score looks up {write(part)}, but {word} is {type_}")
        fits = is_float(type_.dtype) or type_.dtype in INTEGERS
        require(fits, "T007", f"the score looks up {word}, which is {type_}: no numbers")
        for size, item in zip(type_.shape, part.items, strict=True):
            message = f"the score looks up {write(part)}: {write(item)} is no integer"
            require(self.whole(item), "T006", message, "'//' divides without a remainder")
            if isinstance(item, Name) and item.id in self.sizes:
                same_size(size, self.sizes[item.id], f"the score looks up {write(part)}")
        return not is_float(type_.dtype)
