"""Commands that run no model start without torch, and without any extra being installed."""

import subprocess
import sys

import pytest

from tests.house.test_floors import TORCH_ROOMS
from tests.house.tree import ROOT, modules

EXTRAS = (
    "PIL", "numpy", "onnx", "onnxruntime", "safetensors", "tokenizers", "torch", "transformers", "triton",
)  # fmt: skip


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )


def test_no_module_outside_the_torch_rooms_imports_torch():
    names = [m.name for m in modules() if not TORCH_ROOMS.fullmatch(m.path.relative_to(ROOT).as_posix())]
    names = [name for name in [*names, "archspec.api"] if name != "archspec.__main__"]
    load = f"import importlib, sys\nfor name in {names}: importlib.import_module(name)\n"
    done = run(load + "print('torch' in sys.modules)")
    assert done.stderr == ""
    assert done.stdout == "False\n"


@pytest.mark.parametrize("module", ["archspec", "archspec.api", "archspec.cli"])
def test_the_core_install_is_enough_to_start(module: str):
    blocked = f"import sys\nsys.modules.update(dict.fromkeys({EXTRAS}))\n"
    assert run(f"{blocked}import {module}").stderr == ""


def test_a_blocked_extra_would_be_seen():
    assert "ModuleNotFoundError" in run("import sys\nsys.modules['torch'] = None\nimport torch").stderr


@pytest.mark.parametrize("command", [["check", "gpt2"], ["show", "gpt2"], ["analyze", "gpt2"], ["--help"]])
def test_what_a_short_command_needs_not_is_not_imported(command: list[str]):
    """Each of these takes longer to import than the command's own work."""
    slow = {"pydantic", "torch", "numpy", "rich", "importlib.metadata"}
    start = f"import sys, archspec.cli as cli\nsys.argv[1:] = {command}\n"
    done = run(f"{start}try: cli.main()\nfinally: sys.stderr.write(' '.join({slow} & set(sys.modules)))")
    assert done.stderr == ""
    assert done.returncode == 0


@pytest.mark.parametrize(
    "words",
    [
        "analyze gpt2 B=1 S=64 --set num_layers=2 --device h100",
        "plan gpt2 S=64 --batch 8 --gpus 2 --device h100",
        "plan gpt2 --serve --load 1 --gpus 2 --device h100",
    ],
)
def test_a_cost_in_numbers_needs_no_torch(words: str):
    """Memory too: the emitted source runs on shapes."""
    start = f"import sys, archspec.cli as cli\nsys.argv[1:] = {words.split()}\n"
    done = run(f"{start}try: cli.main()\nfinally: sys.stderr.write(str('torch' in sys.modules))")
    assert done.stderr == "False"
    assert done.returncode == 0
