"""Emitted source under ruff, many files in one run."""

import subprocess
import sys
from pathlib import Path

CONFIG = Path(__file__).parents[2] / "pyproject.toml"


def faults(sources: list[str], folder: Path) -> str:
    """What `ruff check` and `ruff format` would change; nothing, where all is well."""
    for number, source in enumerate(dict.fromkeys(sources)):
        (folder / f"m{number}.py").write_text(source, encoding="utf-8")
    checks = (["check", "--output-format=concise"], ["format", "--diff"])
    return "".join(_run([*check, "--no-cache", f"--config={CONFIG}"], folder) for check in checks)


def _run(arguments: list[str], folder: Path) -> str:
    ruff = [sys.executable, "-m", "ruff", *arguments, "."]
    done = subprocess.run(ruff, cwd=folder, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr
