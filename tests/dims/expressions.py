"""Expression trees as the parser makes them, and what they are made of."""

from collections.abc import Iterator

from hypothesis import strategies as st

from archspec.dims.expr import (
    Binary,
    Call,
    Comprehension,
    Conditional,
    Expr,
    Index,
    Listing,
    Literal,
    Name,
    Slice,
    Unary,
    children,
)

NAMES = ("a", "hidden_size", "S", "neg", "x1", "outputs.logits", "h.0.weight", "_")
OPERATORS = ("or", "and", "==", "!=", "<", "<=", ">", ">=", "in", "+", "-", "*", "/", "//", "%", "@", "**")
_FLOATS = st.floats(allow_nan=False, allow_infinity=False)
_INTEGERS = st.integers(-(2**63) + 1, 2**63 - 1)
_WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\n"))
literals = st.builds(Literal, st.one_of(st.booleans(), st.none(), _INTEGERS, _FLOATS, _WORDS))
names = st.builds(Name, st.sampled_from(NAMES))


def _negation(operand: Expr) -> Expr:
    """The parser writes the sign of a number into the number."""
    number = isinstance(operand, Literal) and type(operand.value) in (int, float)
    return operand if number else Unary("-", operand)


def _compound(inner: st.SearchStrategy[Expr]) -> st.SearchStrategy[Expr]:
    few = st.lists(inner, max_size=3).map(tuple)
    maybe = st.one_of(st.none(), inner)
    keywords = st.lists(st.tuples(st.sampled_from(("k", "axis")), inner), max_size=2).map(tuple)
    subscripts = st.lists(st.one_of(inner, st.builds(Slice, maybe, maybe, maybe)), min_size=1, max_size=3)
    clauses = st.lists(st.tuples(st.sampled_from(("a", "item", "x1")), inner), min_size=1, max_size=2).map(
        tuple
    )
    return st.one_of(
        st.builds(_negation, inner),
        st.builds(Unary, st.just("not"), inner),
        st.builds(Binary, st.sampled_from(OPERATORS), inner, inner),
        st.builds(Conditional, inner, inner, inner),
        st.builds(Call, st.sampled_from(("min", "f", "neg")), few, keywords),
        st.builds(Index, inner, subscripts.map(tuple)),
        st.builds(Listing, few),
        st.builds(Comprehension, inner, clauses),
    )


expressions: st.SearchStrategy[Expr] = st.recursive(st.one_of(literals, names), _compound, max_leaves=25)


def parts(expr: Expr) -> Iterator[Expr]:
    """The tree's nodes, the root first."""
    yield expr
    for child in children(expr):
        yield from parts(child)
