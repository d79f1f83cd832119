"""What rules write is formatted and clean as it stands, and puts no parentheses that it does not need."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from archspec.backends.torch.code import ATOM, COMPARE, PRODUCT, SUM, Code
from tests.backends.torch.ops.cases import CASES
from tests.backends.torch.ops.harness import Case, written

STYLES = {
    "names": Code("{}", ATOM),
    "sums": Code("{} + 1", SUM),
    "products": Code("{} * 2", PRODUCT),
    "comparisons": Code("{} < 3", COMPARE),
}


def expression(checked: Case, style: Code) -> str:
    args = [
        None if o is None else Code(style.text.format(f"x{k}"), style.level)
        for k, o in enumerate(checked.operands)
    ]
    return written(checked.op, tuple(o and o.type for o in checked.operands), args)[0].text


@pytest.mark.parametrize("style", STYLES.values(), ids=STYLES)
def test_ruff_has_nothing_to_say(tmp_path: Path, style: Code):
    source = tmp_path / "emitted.py"
    source.write_text("".join(f"y = {expression(checked, style)}\n" for checked in CASES))
    ruff = [sys.executable, "-m", "ruff"]
    same = ["--isolated", "--config", "line-length = 320", "--target-version", "py311", str(source)]
    formatted = subprocess.run(
        [*ruff, "format", "--diff", *same], capture_output=True, text=True, check=False
    )
    assert formatted.returncode == 0, formatted.stdout + formatted.stderr
    rules = "E,W,B,C4,PIE,RUF,SIM,UP"
    linted = subprocess.run(
        [*ruff, "check", "--select", rules, *same], capture_output=True, text=True, check=False
    )
    assert linted.returncode == 0, linted.stdout


@pytest.mark.parametrize("style", STYLES.values(), ids=STYLES)
@pytest.mark.parametrize("checked", CASES, ids=str)
def test_every_pair_of_parentheses_is_needed(checked: Case, style: Code):
    text = expression(checked, style)
    assert needless(text) == []


def needless(text: str) -> list[str]:
    """The text without one pair of parentheses, for each pair whose loss changes nothing.

    A power or another sign after a sign keeps its pair, `-(x**2)`, as formatters write it.
    """
    tree = ast.dump(ast.parse(text, mode="eval"))
    found: list[str] = []
    for start, end in pairs(text):
        without = f"{text[:start]} {text[start + 1 : end]} {text[end + 1 :]}".strip()
        if parses_to(without, tree) and not re.search(r"[-~]$", text[:start]):
            found.append(without)
    return found


def pairs(text: str) -> list[tuple[int, int]]:
    opened: list[int] = []
    found: list[tuple[int, int]] = []
    for position, character in enumerate(text):
        if character == "(":
            opened.append(position)
        elif character == ")":
            found.append((opened.pop(), position))
    return found


def parses_to(text: str, tree: str) -> bool:
    try:
        return ast.dump(ast.parse(text, mode="eval")) == tree
    except SyntaxError:
        return False


def test_the_check_finds_what_is_needless():
    assert needless("(a) + b") == ["a  + b"]
    assert "f( a + b )" in needless("f((a + b))")
    assert needless("(a + b) * -(c**2)") == []
