"""Trees of elementwise operations, nested into one expression, compute what they compute one by one."""

from dataclasses import dataclass
from typing import TypeAlias

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from archspec.backends.torch.code import Code
from archspec.dims import num as n
from archspec.ir.op import Op
from archspec.ir.ops.contract import Matmul
from archspec.ir.ops.elementwise import COMPARE, Arith, Compare, CompareScalar, Logic, Map, Scalar, Where
from archspec.ir.ops.shape import Permute
from archspec.ir.types import TensorType
from tests.backends.torch.ops.harness import namespace, written
from tests.backends.torch.ops.test_style import needless

FLOAT, BOOL = (TensorType(dtype, (n.num(3), n.num(3))) for dtype in ("float32", "bool"))
LEAVES = {
    "a": torch.tensor([[0.5, -1.5, 2.0], [1.0, 0.25, -0.75], [3.0, -2.0, 1.25]]),
    "b": torch.tensor([[1.5, 2.5, -0.5], [-1.0, 0.75, 1.0], [0.5, 2.0, -3.0]]),
}


@dataclass(frozen=True)
class Node:
    op: Op
    operands: "tuple[Tree, ...]"


Tree: TypeAlias = Node | str

arithmetic = ("add", "sub", "mul", "div", "floordiv", "mod", "pow")
numbers = st.sampled_from([n.num(2), n.num(-3), n.num(0.5), n.named("heads", 4), n.named("heads", 4) - 6])


def node(op: st.SearchStrategy[Op], *operands: st.SearchStrategy[Tree]) -> st.SearchStrategy[Tree]:
    return st.builds(Node, op, st.tuples(*operands))


def floats(inner: st.SearchStrategy[Tree], truths: st.SearchStrategy[Tree]) -> st.SearchStrategy[Tree]:
    fn = st.sampled_from(arithmetic)
    return st.one_of(
        node(st.builds(Map, st.sampled_from(["neg", "neg", "relu", "square", "tanh"])), inner),
        node(st.builds(Arith, fn), inner, inner),
        node(st.builds(Scalar, fn, numbers, st.booleans()), inner),
        node(st.just(Matmul()), inner, inner),
        node(st.just(Permute((1, 0))), inner),
        node(st.just(Where()), truths, inner, inner),
    )


def booleans(inner: st.SearchStrategy[Tree], values: st.SearchStrategy[Tree]) -> st.SearchStrategy[Tree]:
    fn = st.sampled_from(COMPARE)
    return st.one_of(
        node(st.just(Map("not")), inner),
        node(st.builds(Logic, st.sampled_from(["and", "or"])), inner, inner),
        node(st.builds(Compare, fn), values, values),
        node(st.builds(Compare, fn), inner, inner),
        node(st.builds(CompareScalar, fn, numbers), values),
    )


leaves: st.SearchStrategy[Tree] = st.sampled_from(["a", "b"])
some_truth: st.SearchStrategy[Tree] = st.just(Node(Compare("lt"), ("a", "b")))
values: st.SearchStrategy[Tree] = st.recursive(leaves, lambda inner: floats(inner, some_truth), max_leaves=8)
truths: st.SearchStrategy[Tree] = st.recursive(
    some_truth, lambda inner: booleans(inner, values), max_leaves=6
)


def typed(tree: Tree) -> TensorType:
    return FLOAT if isinstance(tree, str) else tree.op.infer(*map(typed, tree.operands))[0]


def nested(tree: Tree, asked: list[str]) -> Code:
    """One expression for the whole tree."""
    if isinstance(tree, str):
        return Code(tree)
    args: list[Code | None] = [nested(x, asked) for x in tree.operands]
    code, place = written(tree.op, tuple(map(typed, tree.operands)), args)
    asked.extend(place.required)
    return code


def stepwise(tree: Tree) -> Tensor:
    """The same, one operation at a time over names."""
    if isinstance(tree, str):
        return LEAVES[tree]
    names = [f"x{k}" for k in range(len(tree.operands))]
    code, place = written(tree.op, tuple(map(typed, tree.operands)), [Code(name) for name in names])
    given_values = dict(zip(names, map(stepwise, tree.operands), strict=True))
    return eval(code.text, namespace(place.required, torch.float32) | given_values)


@given(st.one_of(values, truths))
def test_a_nested_expression_equals_its_steps(tree: Tree):
    asked: list[str] = []
    code = nested(tree, asked)
    found: Tensor = eval(code.text, namespace(asked, torch.float32) | LEAVES)
    torch.testing.assert_close(found, stepwise(tree), rtol=0, atol=0, equal_nan=True)


@given(st.one_of(values, truths))
def test_a_nested_expression_has_no_needless_parentheses(tree: Tree):
    assert needless(nested(tree, []).text) == []
