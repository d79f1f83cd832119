"""Einsum, taken apart to products of matrices: ONNX Runtime runs them faster than its Einsum."""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir

from archspec.backends.onnx.place import RULES, Args, Place, Result, operand
from archspec.dims import num as n
from archspec.dims.num import Num
from archspec.ir.ops.contract import Einsum


@dataclass(frozen=True, slots=True)
class Lettered:
    """A value whose axes have letters."""

    value: ir.Value
    letters: str


@dataclass(frozen=True, slots=True)
class Letters:
    """What can be done to lettered values, where each letter is a size."""

    sizes: dict[str, Num]
    place: Place

    def summed(self, x: Lettered, keep: str) -> Lettered:
        """Without the letters that nobody reads."""
        axes = [i for i, letter in enumerate(x.letters) if letter not in keep]
        if not axes:
            return x
        value = self.place.one("ReduceSum", x.value, self.place.tape.integers(*axes), keepdims=0)
        return Lettered(value, _of(x.letters, keep))

    def ordered(self, x: Lettered, letters: str) -> Lettered:
        """The same letters in another order."""
        if letters == x.letters:
            return x
        perm = [x.letters.index(letter) for letter in letters]
        return Lettered(self.place.one("Transpose", x.value, perm=perm), letters)

    def spread(self, x: Lettered, letters: str) -> ir.Value:
        """With an axis of size 1 for each letter that it lacks."""
        missing = [i for i, letter in enumerate(letters) if letter not in x.letters]
        value = self.ordered(x, _of(letters, x.letters)).value
        return self.place.one("Unsqueeze", value, self.place.tape.integers(*missing)) if missing else value

    def product(self, a: Lettered, b: Lettered, keep: str) -> Lettered:
        """The product of two, summed over the letters that are not in `keep`."""
        a, b = self.summed(a, keep + b.letters), self.summed(b, keep + a.letters)
        both = _of(a.letters, b.letters)
        batch, inner = _of(both, keep), _without(both, keep)
        rows, columns = _without(a.letters, both), _without(b.letters, both)
        if not inner:
            out = batch + rows + columns
            return Lettered(self.place.one("Mul", self.spread(a, out), self.spread(b, out)), out)
        # MatMul broadcasts b over `lead`: so where that spares ordering a.
        spares = not batch or a.letters == rows[:-1] + batch + rows[-1:] + inner
        lead, row = (rows[:-1], rows[-1:]) if spares else ("", rows)
        left, right = self.grouped(a, (*lead, *batch, row, inner)), self.grouped(b, (*batch, inner, columns))
        found, out = self.place.one("MatMul", left, right), lead + batch + row + columns
        return Lettered(self.reshaped(found, (*lead, *batch, row, columns), tuple(out)), out)

    def grouped(self, x: Lettered, groups: tuple[str, ...]) -> ir.Value:
        """With one axis per group of letters."""
        letters = "".join(groups)
        return self.reshaped(self.ordered(x, letters).value, (*letters,), groups)

    def reshaped(self, value: ir.Value, before: tuple[str, ...], after: tuple[str, ...]) -> ir.Value:
        shapes = [tuple(self.size(group) for group in groups) for groups in (before, after)]
        return self.place.reshape(value, shapes[0], shapes[1])

    def size(self, group: str) -> Num:
        return n.product(tuple(self.sizes[letter] for letter in group))


@RULES.rule(Einsum)
def _einsum(op: Einsum, args: Args, place: Place) -> Result:
    left, _, right = op.equation.replace(" ", "").partition("->")
    terms, given = left.split(","), [operand(args, i) for i in range(len(args))]
    dtype = place.outputs[0].dtype
    values = [place.read(x, dtype) for x in given]
    if any(len(set(term)) < len(term) for term in terms):  # a diagonal
        return place.one("Einsum", *values, equation=op.equation.replace(" ", ""))
    pairs = (pair for t, x in zip(terms, given, strict=True) for pair in zip(t, x.type.shape, strict=True))
    letters = Letters(dict(pairs), place)
    found, *others = (Lettered(value, term) for value, term in zip(values, terms, strict=True))
    for i, other in enumerate(others, 2):
        keep = right + "".join(terms[i:])
        found = letters.product(*_in_order(found, other, keep), keep)
    return letters.ordered(letters.summed(found, right), right).value


def _in_order(a: Lettered, b: Lettered, keep: str) -> tuple[Lettered, Lettered]:
    """The two so that the rows of their product come first in the result."""
    first = next((letter for letter in keep if (letter in a.letters) != (letter in b.letters)), a.letters[:1])
    return (a, b) if first in a.letters else (b, a)


def _of(letters: str, others: str) -> str:
    return "".join(letter for letter in letters if letter in others)


def _without(letters: str, others: str) -> str:
    return "".join(letter for letter in letters if letter not in others)
