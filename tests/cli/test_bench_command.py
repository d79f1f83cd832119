"""`archspec bench`: what it shows, and the file that it leaves."""

import json
import subprocess
import sys
from pathlib import Path

import archspec
from tests.cli.runner import cli, found
from tests.measuring.tiny import GPT2

SETS = [word for name, value in GPT2.items() for word in ("--set", f"{name}={value}")]
MODEL = ["gpt2", "B=2", "S=8", *SETS]
SHORT = ("--runtime", "onnxruntime", "--runtime", "onnxruntime-int8", "--repeat", "2")


def test_a_table_and_a_file(tmp_path: Path):
    out = tmp_path / "bench.json"
    text = cli("bench", *MODEL, *SHORT, "-o", out).stdout
    assert text.startswith("gpt2, forward, B=2 S=8\n")
    assert "tokens per second" in text
    saved = archspec.load_bench(out)
    assert [ran.runtime for ran in saved.results] == ["onnxruntime", "onnxruntime-int8"]
    assert [len(ran.seconds) for ran in saved.results] == [2, 2]
    assert saved.threads == 1


def test_as_data():
    (table,) = json.loads(cli("bench", *MODEL, *SHORT, "--decode", "--past", "3", "--format", "json").stdout)
    assert table["title"] == "gpt2, decode behind 3 tokens, B=2 S=8"
    assert 0 < table["rows"][0]["p50"] <= table["rows"][0]["p99"]
    assert table["rows"][1]["ratio"] != "1.00"


def test_a_size_that_is_missing():
    assert [code for code, _, _ in found("bench", "gpt2", "B=1", *SETS)] == ["A001"]


def test_a_package_that_is_missing():
    """torch is looked for first, and then ONNX Runtime."""
    for name, extra in (("torch", "torch"), ("onnxruntime", "onnx")):
        start = f"import sys, archspec.cli as cli\nsys.modules['{name}'] = None\n"
        start += f"sys.argv[1:] = {['bench', *MODEL]}\n"
        done = subprocess.run(
            [sys.executable, "-c", f"{start}cli.main()"],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 1
        assert f"X002 the package '{name}' is not installed" in done.stderr
        assert f"archspec-compiler[{extra}]" in done.stderr
