"""Generated files: named after what they say, the same for the same structure, and fit to be read."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from hashlib import sha256
from pathlib import Path

import pytest

from archspec.backends.torch.kernels.module import KernelFile, kernel_file
from archspec.backends.torch.kernels.taken import free, is_taken
from tests.backends.torch.kernels.structures import STRUCTURES, Structure, Table

PADDED = Structure(
    "k <= q and q - k < window and padding[b, k]",
    {"window": 9},
    {"padding": Table(("b", "k"), optional=True)},
)


@cache
def files() -> dict[str, KernelFile]:
    return {name: kernel_file(given.description()) for name, given in STRUCTURES.items()}


def text(given: Structure) -> str:
    return kernel_file(given.description()).text


def test_golden(golden: Callable[[str, str], None]) -> None:
    golden("window-kernels.py.txt", text(PADDED))


def test_the_same_structure_gives_the_same_file() -> None:
    """Also in another process, where sets have another order; sizes of a window make no difference."""
    here = kernel_file(PADDED.description())
    assert here == kernel_file(PADDED.description())
    wider = Structure(PADDED.rule, {"window": 700}, PADDED.tables)
    assert here == kernel_file(wider.description())
    code = "from tests.backends.torch.kernels import test_module as t; print(t.text(t.PADDED), end='')"
    for seed in ("1", "2"):
        there = subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed, "PATH": "", "PYTHONPATH": "."},
            capture_output=True,
            text=True,
            check=True,
        )
        assert there.stdout == here.text


def test_names_follow_contents() -> None:
    made = files().values()
    assert len({file.name for file in made}) == len({file.text for file in made}) > 30
    for file in made:
        assert re.fullmatch(r"attention_[0-9a-f]{12}", file.name)
        assert f'custom_op("archspec::{file.name}"' in file.text
        _, _, body = file.text.partition('"""\n\n')
        content = body.replace(file.name, "NAME")
        assert file.name == f"attention_{sha256(content.encode()).hexdigest()[:12]}"


def test_ruff_finds_nothing(tmp_path: Path) -> None:
    """Names of tuples that are taken apart whole are not all used."""
    for file in files().values():
        (tmp_path / f"{file.name}.py").write_text(file.text, encoding="utf-8")
    options = [
        "--isolated",
        "--no-cache",
        "--line-length=110",
        "--select=E,F,W,B,I",
        "--output-format=concise",
    ]
    command = [sys.executable, "-m", "ruff", "check", *options, str(tmp_path)]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout


@pytest.mark.parametrize("name", ["full", "window", "global by data", "capped, with a bias", "sunk"])
def test_nothing_is_left_over(name: str) -> None:
    """No word of a template, no flag, no function that nobody calls, no test of a constant."""
    source = files()[name].text
    words = set(re.findall(r"\b[A-Z_]+\b", source))
    assert not words & {"OPERANDS", "POINTERS", "PARAMETERS", "SIGNATURE", "ARGUMENTS", "NAME", "VARYING"}
    assert not words & {"SCORED", "CAPPED", "PLAIN", "SUNK", "DROPPED", "WHOLE", "INSIDE", "PICKED"}
    tree = ast.parse(source)
    defined = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    read = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert defined - read <= {"attention", "_"}
    assert not [x for x in ast.walk(tree) if isinstance(x, ast.If) and isinstance(x.test, ast.Constant)]


def test_operands_do_not_take_the_words_of_kernels() -> None:
    """`g` is a group of heads in a kernel; a rule may call something else so."""
    assert is_taken("g")
    assert is_taken("tiles")
    assert is_taken("lambda")
    assert not is_taken("window")
    assert free("g", ()) == "g_"
    assert free("g", ("g", "g_")) == "g__"
    assert free("window", ("window",)) == "window"
    for given in STRUCTURES.values():
        assert not any(map(is_taken, given.description().operands))


def test_the_text_says_what_is_computed() -> None:
    assert '"""Whether a pair counts: k <= q and q - k < window and padding[b, k]."""' in text(PADDED)
    assert "Rule     k <= q and q - k < window and padding[b, k]" in text(PADDED)
