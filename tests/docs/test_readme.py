"""Runs the documentation: every fenced block of README.md and docs/ in a language that can be executed.

The blocks of a file run in order, in one folder that starts with copies of `specs/` and `examples/`.
`sh` and `python` blocks must succeed. In a `console` block each `$ command` is followed by its exact
output (`...` matches anything), or by nothing. A `yaml` block that starts with `archspec:` must pass
`archspec check`. A comment on the line before a block changes that:

    <!-- test: install -->      the block installs; .ci/run covers it
    <!-- test: exit 1 -->       each command ends with this status
    <!-- test: file my.yaml --> the block becomes this file, and is not run
"""

import doctest
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

import pytest

ROOT = Path(__file__).resolve().parents[2]
INSTALLS = re.compile(r"pip install|make (venv|test|demo)\b")
BLOCK = re.compile(
    r"(?:^ *<!-- test: (?P<marker>[^\n]*) -->\n)?"
    r"^(?P<indent> *)```(?P<language>\w*)[^\n]*\n(?P<text>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)
MINUTES = 5


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text without indent, and the two words of its marker."""

    language: str
    text: str
    verb: str
    argument: str
    where: str

    @property
    def status(self) -> int:
        return int(self.argument) if self.verb == "exit" else 0


def blocks_of(text: str, name: str) -> list[Block]:
    """The fenced blocks of a Markdown text, in order."""
    found = list(BLOCK.finditer(text))
    assert len(re.findall(r"^ *```", text, re.MULTILINE)) == 2 * len(found), f"{name}: a fence is not closed"
    markers = [match["marker"] for match in found if match["marker"]]
    assert text.count("<!-- test:") == len(markers), f"{name}: a marker does not stand right before a block"
    return [_block(match, f"{name}:{text.count(chr(10), 0, match.start('language')) + 1}") for match in found]


def _block(match: re.Match[str], where: str) -> Block:
    verb, _, argument = (match["marker"] or "").partition(" ")
    assert verb in {"", "install", "exit", "file"}, f"{where}: unknown marker '{verb}'"
    return Block(match["language"], dedent(match["text"]), verb, argument, where)


def execute(block: Block, folder: Path) -> None:
    """Does what the block's language and marker ask for."""
    assert (block.verb == "install") == bool(INSTALLS.search(block.text)), (
        f"{block.where}: a block that installs says <!-- test: install -->, and no other does"
    )
    if block.verb == "install":
        return
    if block.verb == "file":
        (folder / block.argument).write_text(block.text)
    elif block.language == "sh":
        run(block, block.text, folder)
    elif block.language == "python":
        (folder / "block.py").write_text(block.text)
        run(block, "python block.py", folder)
    elif block.language == "console":
        run_console(block, folder)
    elif block.language == "yaml" and block.text.startswith("archspec:"):
        (folder / "block.yaml").write_text(block.text)
        run(block, "archspec check block.yaml", folder)


def run_console(block: Block, folder: Path) -> None:
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        command, _, wanted = part.partition("\n")
        got = run(block, command, folder)
        checker, flags = doctest.OutputChecker(), doctest.ELLIPSIS
        example = doctest.Example(command, wanted)
        if wanted.strip() and not checker.check_output(example.want, got, flags):
            pytest.fail(f"{block.where}: $ {command}\n{checker.output_difference(example, got, flags)}")


def run(block: Block, script: str, folder: Path) -> str:
    """The script's output, errors included, with the tools of this interpreter first on PATH."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env={**os.environ, "PATH": path, "HF_HUB_OFFLINE": "1", "NO_COLOR": "1", "COLUMNS": "100"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60 * MINUTES,
        check=False,
    )
    if done.returncode != block.status:
        pytest.fail(
            f"{block.where}: exit status {done.returncode}, not {block.status}\n{script}\n{done.stdout}"
        )
    return done.stdout


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("specs", "examples"):
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tmp_path / name)
    return tmp_path


def documents() -> list[str]:
    return ["README.md", *sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob("docs/**/*.md"))]


@pytest.mark.slow
@pytest.mark.parametrize("name", documents())
def test_the_blocks_of_a_document_run(name: str, folder: Path):
    assert (ROOT / name).is_file(), f"{name} does not exist"
    for block in blocks_of((ROOT / name).read_text(encoding="utf-8"), name):
        execute(block, folder)


def test_the_readme_shows_something_that_runs():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert {"console", "sh", "python"} & {block.language for block in blocks_of(text, "README.md")}


GOOD = {
    "sh": "```sh\ntest -d . && x=1\ntest $x = 1\n```",
    "python in order": "```sh\necho 2 > two\n```\n\n```python\nassert int(open('two').read()) == 2\n```",
    "console": "```console\n$ echo a; echo b\na\nb\n$ echo from 12 to 13\nfrom ...\n$ echo c\n```",
    "exit": "<!-- test: exit 3 -->\n```console\n$ echo no >&2; exit 3\nno\n```",
    "install": "<!-- test: install -->\n```sh\npip install nothing-of-the-kind; false\n```",
    "file": "<!-- test: file a.yaml -->\n```yaml\narchspec: no\n```\n\n```sh\ngrep -q no a.yaml\n```",
    "in a list": "1. so:\n\n   ```sh\n   true\n   ```\n",
    "data": "```text\nexit 1\n```\n\n```yaml\nkey: [\n```",
}
BAD = {
    "sh": "```sh\nfalse\ntrue\n```",
    "python": "```python\nassert False\n```",
    "console output": "```console\n$ echo a\nb\n```",
    "console status": "```console\n$ false\n```",
    "exit": "<!-- test: exit 1 -->\n```sh\ntrue\n```",
    "unmarked install": "```sh\nmake demo\n```",
    "needless marker": "<!-- test: install -->\n```sh\ntrue\n```",
    "unknown marker": "<!-- test: skip -->\n```sh\nfalse\n```",
    "lost marker": "<!-- test: install -->\n\n```sh\nmake demo\n```",
    "open fence": "```sh\ntrue\n",
    "spec": "```yaml\narchspec: nonsense\n```",
}


@pytest.mark.parametrize("text", GOOD.values(), ids=GOOD.keys())
def test_good_documents_pass(text: str, tmp_path: Path):
    for block in blocks_of(text, "good.md"):
        execute(block, tmp_path)


@pytest.mark.parametrize("text", BAD.values(), ids=BAD.keys())
def test_bad_documents_fail_at_a_named_line(text: str, tmp_path: Path):
    with pytest.raises((AssertionError, pytest.fail.Exception), match=r"bad\.md"):
        for block in blocks_of(text, "bad.md"):
            execute(block, tmp_path)
