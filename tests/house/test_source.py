"""What the source text itself must keep to: sizes, words, codes and paths."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

from tests.house.tree import PACKAGE, ROOT, modules

MAX_FILE_LINES = 350
MAX_FUNCTION_LINES = 60

# An architecture lives in a spec; Python that knows one by name is special-casing it.
FAMILIES = (
    "albert|bart|bert|bloom|convnext|deberta|deepseek|dit|distilbert|falcon|flux|gemma[0-9]?|gpt2|gpt_neox|gptj"
    "|llama[0-9]?|longformer|mamba|mistral|mixtral|modernbert|olmo"
    "|phi[0-9]|qwen[0-9]*|roberta|swin|t5|unet|vit|whisper"
)
FAMILY = re.compile(rf"\b({FAMILIES})\b", re.IGNORECASE)
CODE = re.compile(r'"([A-Z]\d{3})[":]')
CODE_HEADING = re.compile(r"^#+ ([A-Z]\d{3})\b", re.MULTILINE)
MACHINE_PATH = re.compile(r"/(work|farm|root|home)/")


def python_files() -> list[Path]:
    """The package and its tests."""
    return sorted([*PACKAGE.rglob("*.py"), *(ROOT / "tests").rglob("*.py")])


def test_files_are_short():
    sizes = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in python_files()}
    assert {str(p.relative_to(ROOT)): n for p, n in sizes.items() if n > MAX_FILE_LINES} == {}


def test_functions_are_short():
    wrong = [
        f"{path.relative_to(ROOT)}:{node.lineno}: {node.name} has {length(node)} lines"
        for path in python_files()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and length(node) > MAX_FUNCTION_LINES
    ]
    assert wrong == []


def length(node: ast.stmt) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def test_the_package_knows_no_family_by_name():
    wrong = [
        f"{module.at(number)}: {line.strip()}"
        for module in modules()
        for number, line in enumerate(module.lines, start=1)
        if FAMILY.search(line) and not line.lstrip().startswith("#")
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("line", "named"),
    [("if kind == 'gpt2':", True), ("BERT's", True), ("gelu_t5", False), ("adit", False), ("Llama3", True)],
)
def test_a_family_is_a_whole_word(line: str, named: bool):
    assert bool(FAMILY.search(line)) is named


def test_every_code_is_explained_and_every_explanation_is_used():
    used = {code for module in modules() for code in CODE.findall(module.text)}
    headings = CODE_HEADING.findall((PACKAGE / "explain.md").read_text(encoding="utf-8"))
    assert sorted(headings) == sorted(used)


def test_no_file_names_a_place_on_one_machine():
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    files = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    wrong = [
        f"{name}:{number}"
        for name in filter(None, files.split("\0"))
        for number, line in enumerate(text_lines(ROOT / name), start=1)
        if MACHINE_PATH.search(line)
    ]
    assert wrong == []


def text_lines(path: Path) -> list[str]:
    """The lines of a text file; none for a binary one, or for one deleted but not yet committed."""
    data = path.read_bytes() if path.is_file() else b"\0"
    return [] if b"\0" in data else data.decode(errors="replace").splitlines()
