"""Text to expression tree: a small Pratt parser. No `eval`, bounded length and depth.

Grammar, loosest first: `a if t else b` · `or` · `and` · `not` · comparisons (no chaining) · `+ -` ·
`* / // % @` · unary `- +` · `**` · call `f(x, k=v)`, index `x[..., 0:n]`, list `[a, b]`, list of each
`[f(x) for x in a]`, literals, names (dots allowed inside a name: `outputs.logits`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from typing import TypeAlias

from archspec.dims.expr import (
    PRECEDENCE,
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
    height,
)

MAX_LENGTH = 4000
MAX_DEPTH = 60
MAX_HEIGHT = 150
MAX_INTEGER = 2**63
_TOKEN = re.compile(
    r"""\s*(?:
    (?P<number>(?:\d+\.\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+|\d+)(?![A-Za-z_\d]))
  | (?P<string>"(?:[^"\\\n]|\\["\\])*"|'(?:[^'\\\n]|\\['\\])*')
  | (?P<dots>\.\.\.)
  | (?P<name>[A-Za-z_][A-Za-z_0-9]*(?:\.[A-Za-z_0-9]+)*)
  | (?P<op>\*\*|//|==|!=|<=|>=|[-+*/%@<>()\[\],:=])
    )""",
    re.VERBOSE,
)
_WORDS = {
    "true": True,
    "false": False,
    "null": None,
    "True": True,
    "False": False,
    "None": None,
    "inf": math.inf,
}
_OPERATORS = ("if", "else", "or", "and", "not", "for", "in")
_INFIX = PRECEDENCE.keys() - {"not", "neg"}
_COMPARE = ("==", "!=", "<", "<=", ">", ">=", "in")


class ExprSyntaxError(Exception):
    """A malformed expression: what is wrong, and the stretch of text where."""

    def __init__(self, message: str, at: int, end: int, hint: str | None = None) -> None:
        super().__init__(message)
        self.message, self.at, self.end, self.hint = message, at, end, hint


@lru_cache(maxsize=4096)  # a library says the same in many places, and trees never change
def parse(text: str) -> Expr:
    """Parse a whole text.

    Raises `ExprSyntaxError`, with offsets into `text`.
    """
    if len(text) > MAX_LENGTH:
        raise ExprSyntaxError(f"expression is longer than {MAX_LENGTH} characters", 0, len(text))
    parser = _Parser(text)
    expr = parser.expression(0)
    parser.expect_end()
    if height(expr) > MAX_HEIGHT:
        raise ExprSyntaxError(f"expression has more than {MAX_HEIGHT} operators in a chain", 0, len(text))
    return expr


Token: TypeAlias = tuple[str, str, int, int]  # kind, text, where it begins, where it ends


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = list(self._scan())
        self.index = 0
        self.depth = 0

    def _scan(self) -> Iterator[Token]:
        position, end = 0, len(self.text.rstrip())
        while position < end:
            found = _TOKEN.match(self.text, position)
            if not found or found.end() > end:
                at = position + len(self.text[position:]) - len(self.text[position:].lstrip())
                stray = self.text[at]
                raise ExprSyntaxError(f"unexpected character '{stray}'", at, at + 1, _stray(stray))
            kind = found.lastgroup or "op"
            yield kind, found.group(kind), found.start(kind), found.end(kind)
            position = found.end()
        yield "end", "", end, end + 1

    def peek(self) -> Token:
        return self.tokens[self.index]

    def take(self) -> Token:
        token = self.tokens[self.index]
        self.index += 1
        return token

    def accept(self, text: str) -> bool:
        kind, word, _, _ = self.peek()
        if word == text and kind in ("op", "name"):
            self.index += 1
            return True
        return False

    def expect(self, text: str) -> int:
        kind, word, at, end = self.peek()
        if not self.accept(text):
            shown = "the end" if kind == "end" else f"'{word}'"
            raise ExprSyntaxError(f"expected '{text}' before {shown}", at, end)
        return end

    def expect_end(self) -> None:
        kind, word, at, end = self.peek()
        if kind != "end":
            hint = "write 'and' between two comparisons" if word in _COMPARE else None
            raise ExprSyntaxError(f"unexpected '{word}'", at, end, hint)

    def expression(self, minimum: int) -> Expr:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            at = self.peek()[2]
            raise ExprSyntaxError(f"expression is nested deeper than {MAX_DEPTH} levels", at, at + 1)
        left = self.prefix()
        while True:
            kind, op, _, _ = self.peek()
            level = PRECEDENCE[op] if kind in ("op", "name") and op in _INFIX else 0
            if level == 0 or level < minimum:
                break
            left = self.infix(left, op, level)
            if op in _COMPARE and self.peek()[1] in _COMPARE:
                self.expect_end()
        self.depth -= 1
        return left

    def infix(self, left: Expr, op: str, level: int) -> Expr:
        self.take()
        if op == "if":
            test = self.expression(PRECEDENCE["or"])
            self.expect("else")
            orelse = self.expression(1)
            return Conditional(test, left, orelse, left.at, orelse.end)
        right = self.expression(PRECEDENCE["neg"] if op == "**" else level + 1)
        return Binary(op, left, right, left.at, right.end)

    def prefix(self) -> Expr:
        kind, word, at, _ = self.peek()
        if word in ("-", "+", "not") and kind in ("op", "name"):
            self.take()
            operand = self.expression(PRECEDENCE["not" if word == "not" else "neg"])
            if word == "-" and isinstance(operand, Literal) and type(operand.value) in (int, float):
                return Literal(-operand.value, at, operand.end)  # type: ignore[operator]  # checked above
            return operand if word == "+" else Unary(word, operand, at, operand.end)
        return self.postfix(self.atom())

    def postfix(self, base: Expr) -> Expr:
        while self.peek()[1] == "[" and self.peek()[0] == "op":
            self.take()
            items = [self.subscript()]
            while self.accept(","):
                items.append(self.subscript())
            base = Index(base, tuple(items), base.at, self.expect("]"))
        return base

    def subscript(self) -> Expr | Slice:
        at = self.peek()[2]
        parts: list[Expr | None] = [None]
        while self.peek()[1] not in ("]", ","):
            if self.accept(":"):
                parts.append(None)
            else:
                parts[-1] = self.expression(1)
                if self.peek()[1] not in ("]", ",", ":"):
                    self.expect("]")
        if len(parts) == 1 and parts[0] is not None:
            return parts[0]
        if len(parts) not in (2, 3):
            raise ExprSyntaxError("expected an index or a slice", at, at + 1)
        return Slice(parts[0], parts[1], parts[2] if len(parts) == 3 else None, at, self.peek()[2])

    def atom(self) -> Expr:
        kind, word, at, end = self.take()
        if kind == "number":
            return Literal(_number(word, at, end), at, end)
        if kind == "string":
            return Literal(re.sub(r"\\(.)", r"\1", word[1:-1]), at, end)
        if kind == "dots":
            return Name("...", at, end)
        if kind == "name" and word not in _OPERATORS:
            return self.named(word, at, end)
        if word == "(":
            inner = self.expression(1)
            return replace(inner, at=at, end=self.expect(")"))
        if word == "[":
            return self.listing(at)
        shown = "the end" if kind == "end" else f"'{word}'"
        raise ExprSyntaxError(f"expected a value before {shown}", at, end)

    def named(self, word: str, at: int, end: int) -> Expr:
        if word in _WORDS:
            return Literal(_WORDS[word], at, end)
        if not self.accept("("):
            return Name(word, at, end)
        args: list[Expr] = []
        kwargs: list[tuple[str, Expr]] = []
        while not self.accept(")"):
            key = self.keyword()
            value = self.expression(1)
            if key:
                kwargs.append((key, value))
            elif kwargs:
                raise ExprSyntaxError("a positional argument stands after a named one", value.at, value.end)
            else:
                args.append(value)
            if self.peek()[1] != ")":
                self.expect(",")
        return Call(word, tuple(args), tuple(kwargs), at, self.tokens[self.index - 1][3])

    def keyword(self) -> str | None:
        kind, word, _, _ = self.peek()
        if kind == "name" and self.tokens[self.index + 1][1] == "=":
            self.index += 2
            return word
        return None

    def listing(self, at: int) -> Expr:
        items: list[Expr] = []
        while not self.accept("]"):
            items.append(self.expression(1))
            if len(items) == 1 and self.peek()[:2] == ("name", "for"):
                clauses = tuple(self.clauses())
                return Comprehension(items[0], clauses, at, self.expect("]"))
            if self.peek()[1] != "]":
                self.expect(",")
        return Listing(tuple(items), at, self.tokens[self.index - 1][3])

    def clauses(self) -> Iterator[tuple[str, Expr]]:
        while self.accept("for"):
            kind, word, at, end = self.take()
            if kind != "name" or "." in word or word in _WORDS or word in _OPERATORS:
                raise ExprSyntaxError("expected a name behind 'for'", at, end)
            self.expect("in")
            yield word, self.expression(PRECEDENCE["or"])


def _number(word: str, at: int, end: int) -> int | float:
    value = float(word) if set(word) & set(".eE") else int(word)
    if math.isinf(value) or (isinstance(value, int) and value >= MAX_INTEGER):
        raise ExprSyntaxError("this number is out of range", at, end, "for infinity, write 'inf'")
    return value


def _stray(character: str) -> str | None:
    hints = {"$": "names need no '$'", "{": "names need no braces", "&": "write 'and'", "|": "write 'or'"}
    hints |= {"^": "write '**' for a power", "!": "write 'not'", ";": "one expression only"}
    return hints.get(character)
