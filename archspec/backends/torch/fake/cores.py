"""Selective checkpointing, written into emitted source: attention's scores are computed again.

What stands between queries, keys and values and their weighted sum becomes a function that
`torch.utils.checkpoint` runs. Source: Korthikanti et al. 2022, arXiv:2205.05198, section 5.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from itertools import count

_IMPORT = "from torch.utils.checkpoint import checkpoint\n"
_SCORES, _WEIGHTS = "scores", "weights"  # as emitted source calls them, numbered where there are several


def with_cores_again(source: str) -> str:
    """The source with every core of an eager attention under a checkpoint; the same where there is none."""
    tree = ast.parse(source)
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    found = [_rewritten(each) for each in functions]
    if not any(found):
        return source
    at = next(i for i, node in enumerate(tree.body) if isinstance(node, ast.Import | ast.ImportFrom))
    tree.body[at:at] = ast.parse(_IMPORT).body
    return ast.unparse(ast.fix_missing_locations(tree))


def _rewritten(function: ast.FunctionDef) -> bool:
    """Puts each core of a function under a checkpoint, in place; whether there is one."""
    found = False
    while (place := _core(function.body)) is not None:
        found = True
        first, last = place
        function.body[first : last + 1] = _checkpointed(function, first, last)
    return found


def _core(body: Sequence[ast.stmt]) -> tuple[int, int] | None:
    """From the statement that makes scores to the one that multiplies weights by values."""
    for first, node in enumerate(body):
        if isinstance(node, ast.Assign) and _is(node.targets[0], _SCORES) and _product(node) is not None:
            for last in range(first, len(body)):
                product = _product(body[last])
                if product is not None and _is(product.left, _WEIGHTS):
                    return first, last
    return None


def _is(node: ast.AST, word: str) -> bool:
    """Whether it is the name, or the name with a number."""
    return isinstance(node, ast.Name) and node.id.rstrip("0123456789").rstrip("_") == word


def _product(node: ast.AST) -> ast.BinOp | None:
    found = (x for x in ast.walk(node) if isinstance(x, ast.BinOp) and isinstance(x.op, ast.MatMult))
    return next(found, None)


def _checkpointed(function: ast.FunctionDef, first: int, last: int) -> list[ast.stmt]:
    body = function.body
    product = _product(body[last])
    assert product is not None, "a core ends with a product"
    inside, outside = _parted(body[first:last])
    taken = {x.id for x in ast.walk(function) if isinstance(x, ast.Name)}
    name = next(word for n in count() if (word := f"core_{n}") not in taken)
    before = {x.arg for x in ast.walk(function.args) if isinstance(x, ast.arg)} - {"self"}
    before |= set(_written([*body[:first], *outside]))
    before -= set(_written(inside))
    read = (x.id for each in (*inside, product) for x in ast.walk(each) if isinstance(x, ast.Name))
    operands = [word for word in dict.fromkeys(read) if word in before]
    words = ", ".join(operands)
    core = ast.parse(f"def {name}({words}):\n    return 0").body[0]
    assert isinstance(core, ast.FunctionDef)
    core.body = [*inside, ast.Return(product)]
    call = ast.parse(f"checkpoint({name}, {words}, use_reentrant=False)", mode="eval").body
    return [*outside, core, _replaced(body[last], product, call)]


def _parted(statements: Sequence[ast.stmt]) -> tuple[list[ast.stmt], list[ast.stmt]]:
    """Those that come of the scores, which the first one makes, and others, such as of masks."""
    inside, outside, of_scores = list[ast.stmt](), list[ast.stmt](), set(_written(statements[:1]))
    for each in statements:
        words = {x.id for x in ast.walk(each) if isinstance(x, ast.Name)}
        if words & of_scores:
            of_scores |= set(_written([each]))
        (inside if words & of_scores else outside).append(each)
    return inside, outside


def _written(body: Sequence[ast.stmt]) -> Iterator[str]:
    for each in body:
        for x in ast.walk(each):
            if isinstance(x, ast.Name) and isinstance(x.ctx, ast.Store):
                yield x.id


def _replaced(statement: ast.stmt, old: ast.expr, new: ast.expr) -> ast.stmt:
    class Put(ast.NodeTransformer):
        def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
            return new if node is old else self.generic_visit(node)  # type: ignore[return-value]  # an expression

    return Put().visit(statement)
