"""`archspec kernels` on the command line: what was decided, and the files."""

import ast
import json
from pathlib import Path

from tests.cli.runner import cli, found


def test_shows_what_was_decided_for_each_structure():
    text = cli("kernels", "modernbert", "B=1", "S=4096").stdout
    for words in ("counts where", "tiles of keys", "tiles at 4,096 × 4,096", "pairs in them"):
        assert words in text


def test_writes_the_files_that_a_build_writes(tmp_path: Path):
    cli("kernels", "gpt2", "-o", tmp_path / "kernels")
    cli("build", "gpt2", "-o", tmp_path / "model", "--attention", "triton")
    written = {file.name: file.read_text("utf-8") for file in (tmp_path / "kernels").iterdir()}
    assert len(written) == 1
    assert all((tmp_path / "model" / name).read_text("utf-8") == text for name, text in written.items())
    ast.parse(*written.values())


def test_json_has_a_table_for_each_file():
    tables = json.loads(cli("kernels", "modernbert", "--format", "json").stdout)
    assert len(tables) == 2
    assert all(table["title"].startswith("attention_") for table in tables)


def test_a_model_without_attention_says_so():
    assert "no attention" in cli("kernels", "mamba").stdout


def test_sizes_that_do_not_fit_are_findings():
    assert found("kernels", "gpt2", "B=0") == [("A002", None, None)]
    assert found("kernels", "gpt2", "X=4") == [("A002", None, None)]


def test_files_are_not_written_over_a_file(tmp_path: Path):
    (tmp_path / "taken").write_text("mine", encoding="utf-8")
    assert found("kernels", "gpt2", "-o", tmp_path / "taken") == [("F002", None, None)]
    assert (tmp_path / "taken").read_text("utf-8") == "mine"
