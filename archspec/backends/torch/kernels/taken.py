"""Words that a generated file means something by: its operands go by others."""

from __future__ import annotations

import ast
import builtins
import keyword
import re
from collections.abc import Collection, Iterable, Iterator
from functools import cache

from archspec.backends.torch.kernels.module import templates
from archspec.ir.tiles.bands import RESERVED

_LISTS = re.compile(r"\b(OPERANDS|POINTERS|PARAMETERS|SIGNATURE|ARGUMENTS)\b")
_FUNCTIONS = frozenset("bhqkmnMNQKi") | {"start", "operands", "runs", "keep", "added", "ds"}
_OWN = re.compile(r"edge\d+")  # of runs.py


def free(word: str, others: Collection[str]) -> str:
    """The word, or one like it, where a generated file means something else by it or `others` have it."""
    spellings = (word + "_" * i for i in range(99))
    return next(x for x in spellings if not is_taken(x) and (x == word or x not in others))


def is_taken(word: str) -> bool:
    """Whether a generated file means something else by a word than its operand."""
    plans = RESERVED.fullmatch(word) or _OWN.fullmatch(word)
    return bool(plans) or word in _taken() or keyword.iskeyword(word) or hasattr(builtins, word)


@cache
def _taken() -> frozenset[str]:
    """What is defined by templates, and inside of those that name operands."""
    parsed = [("\n".join(lines), ast.parse("\n".join(lines)).body[0]) for lines in templates()]
    outer = {word for _, node in parsed for word in _bound([node])}
    inner = {word for text, node in parsed if _LISTS.search(text) for word in _bound(ast.walk(node))}
    return _FUNCTIONS | outer | inner | {"tl", "triton", "torch", "F", "Tensor", "Any", "NamedTuple"}


def _bound(nodes: Iterable[ast.AST]) -> Iterator[str]:
    for node in nodes:
        match node:
            case ast.FunctionDef(name=word) | ast.ClassDef(name=word) | ast.arg(arg=word):
                yield word
            case ast.Name(id=word, ctx=ast.Store()):
                yield word
            case ast.Assign(targets=[ast.Name(id=word)]) | ast.AnnAssign(target=ast.Name(id=word)):
                yield word
            case _:
                pass
