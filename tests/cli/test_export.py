"""export to ONNX, and doctor, as commands."""

from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

import pytest

from archspec.exporting import doctor
from tests.checkpoints import DECODER
from tests.cli.runner import ROOT, cli, data, found, main, process

SMALL = ("gpt2", *DECODER.words)


def test_export_says_what_it_wrote_and_how_far_it_is_off(tmp_path: Path):
    text = cli("export", *SMALL, "--init", "0", "-o", tmp_path / "out").stdout
    lines = text.splitlines()
    assert lines[0] == "model.onnx"
    assert lines[1].split()[0] == "size"
    assert "  opset    23" in lines
    assert "  inputs   input_ids int64[batch_size, sequence_length]" in lines
    assert "verified on CPUExecutionProvider" in lines
    assert sum(line.startswith("  B=") for line in lines) == 3
    assert "allowed is 0.0001 of an output's largest number" in lines[-1]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["model.onnx"]


def test_export_as_data(tmp_path: Path):
    words = ("export", *SMALL, "B=2", "S=4", "--init", "0", "-o", tmp_path, "--without", "attention_mask")
    record = data(*words, "--profile", "portable", "--single-file")
    assert record["folder"] == str(tmp_path)
    written = record["models"]["model.onnx"]
    assert (written["opset"], written["files"]) == (18, ["model.onnx"])
    assert [port["name"] for port in written["inputs"]] == ["input_ids", "position_ids"]
    assert written["inputs"][0]["shape"] == [2, 4]
    assert [check["holds"] for check in record["checks"]] == [True] * 3
    assert record["providers"] == ["CPUExecutionProvider"]


def test_what_is_not_verified_says_so(tmp_path: Path):
    text = cli("export", *SMALL, "--init", "0", "-o", tmp_path, "--no-verify").stdout
    assert "not verified" in text


def test_verdicts_of_operations():
    text = cli("export", *SMALL, "--explain").stdout
    assert "gpt2 in ONNX: standard, opset 23" in text
    assert any(line.split()[:3] == ["linear", "5", "rule"] for line in text.splitlines())
    (table,) = data("export", *SMALL, "--explain", "--profile", "portable")
    assert "opset 18" in table["title"]


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--init", "0"),
        ("--init", "0", "--reference"),
        ("--weights", "x", "--init", "0", "-o", "y"),
        ("-o", "y"),
        ("--init", "0", "--hf", "x", "--profile", "portable"),
        ("--init", "0", "--hf", "x", "-o", "y"),
        ("--init", "0", "-o", "y", "--provider", "npu"),
        ("--init", "0", "-o", "y", "S"),
    ],
    ids=" ".join,
)
def test_a_wrong_command_line_ends_with_2(words: tuple[str, ...]):
    cli("export", *SMALL, *words, status=2)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--weights", "nowhere"), "W020"),
        (("--init", "0", "--provider", "tensorrt"), "O003"),
        (("--init", "0", "--dtype", "bfloat16"), "O005"),
        (("--init", "0", "--mode", "encoder-decoder"), "O020"),
        (("--init", "0", "--without", "logits"), "O021"),
        (("--init", "0", "X=3"), "A002"),
    ],
)
def test_bad_input_is_a_finding_and_leaves_nothing(words: tuple[str, ...], code: str, tmp_path: Path):
    assert [each[0] for each in found("export", *SMALL, *words, "-o", tmp_path / "out")] == [code]
    assert list(tmp_path.iterdir()) == []


def test_a_checkpoint_is_exported_without_torch(tmp_path: Path):
    """torch is not imported, and need not be installed."""
    cli("export", *SMALL, "--init", "0", "--hf", tmp_path)
    command = main("export", *SMALL, "--weights", str(tmp_path), "--reference", "--no-verify")
    done = process(f"import sys; sys.modules['torch'] = None\n{command}")
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "model.onnx").exists()


def test_without_onnx_the_error_says_what_to_install(tmp_path: Path):
    command = main("export", *SMALL, "--init", "0", "-o", str(tmp_path / "out"))
    done = process(f"import sys; sys.modules['onnx_ir'] = None\n{command}")
    assert done.returncode == 1
    assert "X002" in done.stderr
    assert "archspec-compiler[onnx]" in done.stderr


def test_the_options_are_in_the_reference():
    page = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    for word in ("--reference", "--profile", "--verify / --no-verify", "--record", "## archspec doctor"):
        assert word in page, word


class Dist:
    """An installed distribution that is not there."""

    def __init__(self, root: Path, *files: str) -> None:
        self.files = [metadata.PackagePath(name) for name in files]
        for file in self.files:
            file.dist = self  # type: ignore[assignment]  # what it asks for is `locate_file`
        self.root = root

    def locate_file(self, path: object) -> Path:
        return self.root / str(path)


def pretend(monkeypatch: pytest.MonkeyPatch, there: dict[str, Dist]) -> None:
    def missing(name: str) -> Dist:
        if name not in there:
            raise metadata.PackageNotFoundError(name)
        return there[name]

    def version(name: str) -> str:
        return "1.31.1" if missing(name) else ""

    def said(command: Sequence[str]) -> str:
        return "CPUExecutionProvider"

    monkeypatch.setattr(doctor.metadata, "distribution", missing)
    monkeypatch.setattr(doctor.metadata, "version", version)
    monkeypatch.setattr(doctor, "_said", said)


def test_doctor_says_what_there_is():
    text = cli("doctor").stdout
    assert "onnxruntime " in text
    assert "CPUExecutionProvider" in text
    assert "nothing is broken" in text
    assert data("doctor")["findings"] == []


def test_doctor_finds_runtimes_that_overwrote_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    pretend(monkeypatch, {"onnxruntime": Dist(tmp_path), "onnxruntime-gpu": Dist(tmp_path)})
    text = cli("doctor", status=1).stdout
    assert "broken: onnxruntime and onnxruntime-gpu own the same files" in text
    assert "pip uninstall -y onnxruntime onnxruntime-gpu && pip install 'archspec-compiler[onnx]'" in text


def test_doctor_finds_a_runtime_that_lost_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """As after uninstalling the other one."""
    (tmp_path / "a.py").touch()
    pretend(monkeypatch, {"onnxruntime-gpu": Dist(tmp_path, "a.py", "b.so", "c.pyc")})
    (finding,) = doctor.examine().findings
    assert finding.message == "1 files of onnxruntime-gpu are gone, b.so among them"


def test_doctor_finds_the_other_package_of_this_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    pretend(monkeypatch, {"archspec": Dist(tmp_path), "archspec-compiler": Dist(tmp_path)})
    assert "pip install archspec-compiler" in doctor.examine().findings[0].hint


def test_doctor_takes_what_is_not_there_for_absent(monkeypatch: pytest.MonkeyPatch):
    pretend(monkeypatch, {})
    report = doctor.examine()
    assert (report.providers, report.findings, report.versions["onnx"]) == ((), (), None)
