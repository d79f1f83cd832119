"""Running commands in this process, and as processes of their own."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from archspec.cli import app

ROOT = Path(__file__).resolve().parents[2]
SPEC = """\
archspec: 1
name: tiny
summary: One linear layer over a table.
params: {vocab_size: 10, hidden_size: 4, wide: 2*hidden_size}
presets: {big: {hidden_size: 8}}
inputs: {ids: "int64[B, S]"}
model:
  - embed: {op: embedding, in: ids, num: vocab_size, dim: hidden_size}
  - up: {op: linear, out: wide}
outputs: {features: up}
expect: {params: 80}
"""


def cli(*words: str | Path, status: int = 0) -> Result:
    """Runs `archspec` with these words, which must end with `status`."""
    result = CliRunner().invoke(app, [str(word) for word in words], prog_name="archspec")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == status, result.output
    return result


def found(*words: str | Path) -> list[tuple[str, int | None, int | None]]:
    """The findings of a command that must end with 1: code, line, column."""
    result = cli(*words, "--format", "json", status=1)
    return [(each["code"], each["line"], each["column"]) for each in json.loads(result.stderr)]


def data(*words: str | Path) -> Any:
    """What a command writes as JSON."""
    return json.loads(cli(*words, "--format", "json").stdout)


def process(code: str) -> subprocess.CompletedProcess[str]:
    """Python code in a fresh process, in the root of the checkout."""
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )


def main(*words: str) -> str:
    """Code that runs the console script with these words."""
    return f"import sys; sys.argv = {['archspec', *words]}\nfrom archspec.cli import main\nmain()"


def written(folder: Path, text: str = SPEC, name: str = "tiny.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path
