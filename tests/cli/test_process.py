"""How the command ends, what it writes where, and what it imports on the way."""

import os
import signal
import subprocess
import sys
import time
import tomllib

import pytest

from archspec.version import VERSION
from tests.cli.runner import ROOT, cli, main, process

FAULT = """
import archspec.api as api
def fault(*_): raise ZeroDivisionError("no")
api.check = fault
"""
REPORT = "import atexit; atexit.register(lambda: sys.stderr.write(' '.join(sys.modules)))\n"


def test_the_version_is_that_of_the_project():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == VERSION
    assert cli("--version").stdout == f"archspec, version {VERSION}\n"


def test_the_module_runs_as_a_program():
    done = subprocess.run(
        [sys.executable, "-m", "archspec", "explain", "Y001"],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, "## Y001 unreadable-file")


def test_an_unforeseen_fault_is_a_finding_about_archspec():
    done = process(FAULT + main("check", "gpt2"))
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("I000 internal error: ZeroDivisionError: no\n")
    assert "Traceback" not in done.stderr


def test_debug_shows_where_the_fault_is():
    done = process(FAULT + main("--debug", "check", "gpt2"))
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "I000 internal error" in done.stderr


def test_a_closed_pipe_is_no_fault():
    command = f"{sys.executable} -m archspec show t5 --ir | head -1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stderr == ""
    assert done.stdout == "graph t5\n0\n"


def test_an_interrupt_ends_with_130():
    code = (
        "import archspec.api as api, signal, time\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a shell's background jobs ignore it
        "def wait(*_: object): print('x', flush=True); time.sleep(60)\n"
    )
    running = subprocess.Popen(
        [sys.executable, "-c", code + "api.check = wait\n" + main("check", "gpt2")],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert running.stdout is not None
    assert running.stdout.readline() == "x\n"
    time.sleep(0.1)
    os.kill(running.pid, signal.SIGINT)
    _, errors = running.communicate(timeout=30)
    assert (running.returncode, errors.strip()) == (130, "")


@pytest.mark.parametrize(
    "words",
    [("--help",), ("check", "gpt2"), ("show", "gpt2"), ("list",), ("schema",), ("explain",)],
    ids=lambda words: words[0],
)
def test_documents_need_neither_torch_nor_rich(words: tuple[str, ...]):
    code = "import sys; " + REPORT + main(*words)
    loaded = process(code).stderr.split()
    assert {"torch", "numpy", "safetensors", "tokenizers", "rich"}.isdisjoint(loaded)
    assert "click" in loaded


def test_help_does_not_even_load_pydantic():
    code = "import sys; " + REPORT + main("--help")
    assert "pydantic" not in process(code).stderr.split()


@pytest.mark.parametrize(
    "words",
    [("run", "gpt2", "--init", "0", "--prompt-ids", "1"), ("build", "gpt2", "-o", "out", "--init", "0")],
)
def test_a_missing_extra_is_named_with_the_way_to_install_it(words: tuple[str, ...]):
    done = process("import sys\nsys.modules['torch'] = None\n" + main(*words))
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "X002 the package 'torch' is not installed",
        "  hint: pip install 'archspec-compiler[torch]'",
    ]
