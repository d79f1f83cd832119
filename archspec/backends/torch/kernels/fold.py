"""Template text with the flags of a structure decided."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping, Sequence
from textwrap import wrap

WIDTH = 110


def folded(text: str, flags: Mapping[str, bool]) -> str:
    """The text without branches on flags, and other tests without flags."""
    while (found := _step(text, flags)) is not None:
        text = found
    return text


def _step(text: str, flags: Mapping[str, bool]) -> str | None:
    """With one more test decided or shortened; None where no flag is left in any."""
    lines = text.splitlines(keepends=True)
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.If):
            continue
        test = _known(node.test, flags)
        if isinstance(test, bool):
            kept = _moved(lines, node, node.body if test else node.orelse)
            return "".join([*lines[: node.lineno - 1], *kept, *lines[node.end_lineno :]])
        if test is not node.test:
            head = lines[node.lineno - 1]
            whole = head[node.test.col_offset : node.test.end_col_offset]
            lines[node.lineno - 1] = head.replace(whole, ast.unparse(test))
            return "".join(lines)
    return None


def _known(test: ast.expr, flags: Mapping[str, bool]) -> bool | ast.expr:
    """A test's value, or what is left of it: the test itself where it reads no flag."""
    match test:
        case ast.Name(id=word) if word in flags:
            return flags[word]
        case ast.UnaryOp(op=ast.Not(), operand=inner):
            found = _known(inner, flags)
            return not found if isinstance(found, bool) else test
        case ast.BoolOp(op=op, values=values):
            decides = isinstance(op, ast.Or)
            found = [_known(x, flags) for x in values]
            if decides in found:
                return decides
            left = [x for x in found if not isinstance(x, bool)]
            if len(left) == len(values):
                return test
            return ast.BoolOp(op, left) if len(left) > 1 else left[0] if left else not decides
        case _:
            return test


def _moved(lines: Sequence[str], node: ast.If, kept: Sequence[ast.stmt]) -> list[str]:
    """The statements of a branch where the branch itself stood."""
    if not kept:
        return []
    first, last = kept[0], kept[-1]
    shift = first.col_offset - node.col_offset
    moved = [line[shift:] if line.strip() else line for line in lines[first.lineno - 1 : last.end_lineno]]
    word = re.match(r" *(el)?if", lines[node.lineno - 1])
    assert word is not None, "a branch begins with its word"
    here = "elif" if word[1] and isinstance(first, ast.If) and shift == 0 else "if"
    return [re.sub(r"^( *)elif\b", rf"\1{here}", moved[0]), *moved[1:]]


def without(text: str, words: Iterable[str]) -> str:
    """The text with some words taken out of all lists."""
    return "".join(
        kept
        for line in text.splitlines(keepends=True)
        if (kept := _without(line, words)).strip() or not line.strip()
    )


def _without(line: str, words: Iterable[str]) -> str:
    for word in words:
        line = re.sub(rf"\b{word}, ?", "", line)
        line = re.sub(rf", {word}\b", "", line)
    return re.sub(r" +$", "", line)


def filled(text: str, lists: Mapping[str, Sequence[str]]) -> str:
    """The text with words that stand for lists replaced by these; lines that get too long are broken."""
    return "\n".join(part for line in text.split("\n") for part in _filled(line, lists))


def _filled(line: str, lists: Mapping[str, Sequence[str]]) -> list[str]:
    found = line
    for word, items in lists.items():
        found = re.sub(rf"\b{word}\b(, ?)?", lambda m: _joined(items, m[1] or ""), found)  # noqa: B023 used at once
    if found == line:
        return [line]
    if not found.strip():
        return []
    if not re.search(r"= \(\w+,\)$", found):  # a tuple of one
        found = re.sub(r", ?(?=[)\]])", "", found)
    return broken(found.rstrip(), 1)


def broken(line: str, depth: int = 0) -> list[str]:
    """A line as several: within its brackets, after a comma, else before a sign; text as text.

    `depth`: how many brackets are open where it begins.
    """
    if len(line) <= WIDTH:
        return [line]
    indent = line[: len(line) - len(line.lstrip())]
    if line.lstrip().startswith('"""'):
        return wrap(line.strip(), WIDTH, initial_indent=indent, subsequent_indent=indent)
    at = next((x for sign in (r", ", r" (?=[-+&|] )") if (x := _last(sign, line, depth)) is not None), None)
    if at is None:
        return [line]
    opened = _depth(line[:at])
    return [line[:at].rstrip(), *broken(indent + "    " * (opened > 0) + line[at:].lstrip(), depth + opened)]


def _last(sign: str, line: str, depth: int) -> int | None:
    """Where the last sign within brackets stands that leaves a line short enough."""
    ends = (x.end() for x in re.finditer(sign, line[:WIDTH]) if line[: x.start()].strip())
    return max((at for at in ends if depth + _depth(line[:at]) > 0), default=None)


def _depth(text: str) -> int:
    return sum(text.count(x) for x in "([{") - sum(text.count(x) for x in ")]}")


def _joined(items: Sequence[str], comma: str) -> str:
    return ", ".join(items) + (comma if items else "")
