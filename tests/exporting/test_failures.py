"""What goes wrong is said in a coded error, and nothing is left behind."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest
import torch
from safetensors.torch import load_file, save_file

import archspec
from archspec import ArchspecError, Format, Verification
from archspec.backends.onnx import compare, runtime, save
from archspec.exporting import job, verify
from tests.checkpoints import DECODER
from tests.cli.runner import ROOT, written
from tests.exporting.small import saved

SMALL: dict[str, Any] = {"init": 0, "overrides": DECODER.params}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("decoder")
    saved(DECODER, path)
    return path


def refused(code: str, out: Path | None, spec: Any = "gpt2", **given: Any) -> str:
    """What an export says that must fail with this code. Nothing new may be in the folder."""
    before = sorted(out.rglob("*")) if out is not None and out.exists() else None
    with pytest.raises(ArchspecError) as error:
        archspec.export(spec, out, **({**SMALL, **given} if "weights" not in given else given))
    found = error.value.diagnostics
    assert [each.code for each in found] == [code] * len(found)
    after = sorted(out.rglob("*")) if out is not None and out.exists() else None
    assert after == before
    return f"{found[0].message} ({found[0].hint})"


def test_a_model_that_differs_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(compare.TOLERANCES, "float32", 1e-12)
    text = refused("O002", tmp_path / "out")
    assert "'logits' is " in text
    assert "B=2 S=7" in text or "B=1 S=1" in text
    (tmp_path / "old").mkdir()
    (tmp_path / "old/model.onnx").write_text("mine")
    refused("O002", tmp_path / "old")
    assert (tmp_path / "old/model.onnx").read_text() == "mine"


def test_a_wrong_weight_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The verification can fail: one weight in one layer is another."""
    weight = job.Job._weight  # pyright: ignore[reportPrivateUsage]

    def wrong(self: job.Job, out: Path) -> Any:
        right = weight(self, out)

        def other(name: str, param: Any) -> Any:
            tensor: Any = right(name, param)
            return ir.tensor(tensor.numpy() * 1.05, name=name) if name == "h.1.mlp.up.weight" else tensor

        return other

    monkeypatch.setattr(job.Job, "_weight", wrong)
    refused("O002", tmp_path / "out")


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()], ids=repr)
@pytest.mark.parametrize("external", [True, False])
def test_nothing_is_left_where_writing_stops(
    error: BaseException, external: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """A full disk, or Ctrl-C, while the last tensors are written."""
    real: Callable[..., None] = ir.save

    def full(model: Any, path: Path, **given: Any) -> None:
        real(model, path, **given)
        raise error

    monkeypatch.setattr(save.ir, "save", full)
    out = tmp_path / "out"
    if isinstance(error, OSError):
        assert "No space left" in refused("F001", out, format=Format(external=external))
    else:
        with pytest.raises(KeyboardInterrupt):
            archspec.export("gpt2", out, format=Format(external=external), **SMALL)
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_is_full(tmp_path: Path):
    """A limit on the size of files stands for the disk: the weights have 60 kB, and 20 may be written."""
    code = f"""
import resource, signal, archspec
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
module = archspec.compile("gpt2", overrides={DECODER.params!r}, seed=0)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    archspec.export("gpt2", {str(tmp_path / "out")!r}, weights=module, overrides={DECODER.params!r},
                    format=archspec.Format(external=True), verification=archspec.Verification(run=False))
except archspec.ArchspecError as error:
    print(error.diagnostics[0].code)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout == "F001\n", done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_is_taken(tmp_path: Path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/model.onnx").mkdir()
    refused("F002", tmp_path / "out")
    (tmp_path / "file").touch()
    refused("F002", tmp_path / "file")


def test_other_files_are_kept_and_its_own_replaced(tmp_path: Path):
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "model.onnx").write_text("old")
    archspec.export("gpt2", tmp_path, **SMALL)
    assert {path.name for path in tmp_path.iterdir()} == {"notes.txt", "model.onnx"}
    assert (tmp_path / "model.onnx").read_bytes()[:3] != b"old"


@pytest.mark.parametrize("by_reference", [False, True])
def test_weights_that_do_not_match(by_reference: bool, folder: Path, tmp_path: Path):
    wrong = {**DECODER.params, "hidden_size": 32}
    out = folder if by_reference else tmp_path / "out"
    refused("W042", out, weights=folder, reference=by_reference, overrides=wrong)
    deeper = {**DECODER.params, "num_layers": 3}
    refused("W040", out, weights=folder, reference=by_reference, overrides=deeper)
    refused("W020", tmp_path / "out", weights=tmp_path / "nowhere", overrides=DECODER.params)


@pytest.mark.parametrize("by_reference", [False, True])
def test_tied_tensors_that_differ(by_reference: bool, folder: Path, tmp_path: Path):
    tensors = load_file(folder / "model.safetensors")
    table = tensors["transformer.wte.weight"]
    same, other = tmp_path / "same", tmp_path / "other"
    for place, head in ((same, table.clone()), (other, table + 1)):
        place.mkdir()
        save_file({**tensors, "lm_head.weight": head}, place / "model.safetensors", {"format": "pt"})
    given: Any = {"reference": by_reference, "overrides": DECODER.params}
    archspec.export("gpt2", same if by_reference else tmp_path / "out", weights=same, **given)
    refused("W043", other if by_reference else tmp_path / "else", weights=other, **given)


def test_weights_that_lie_elsewhere(folder: Path, tmp_path: Path):
    given: Any = {"reference": True, "overrides": DECODER.params}
    refused("O012", tmp_path / "out", weights=folder, **given)
    linked = tmp_path / "snapshot"
    linked.mkdir()
    (linked / "model.safetensors").symlink_to(folder / "model.safetensors")
    assert "links" in refused("O012", linked, weights=linked, **given)


def test_a_number_that_float16_does_not_hold(folder: Path, tmp_path: Path):
    tensors = load_file(folder / "model.safetensors")
    tensors["transformer.h.0.mlp.c_fc.bias"][3] = 1e5
    save_file(tensors, tmp_path / "model.safetensors", {"format": "pt"})
    given: Any = {"weights": tmp_path, "overrides": DECODER.params}
    text = refused("O010", tmp_path / "out", format=Format(dtype="float16"), **given)
    assert "'h.0.mlp.up.bias' holds 100000" in text


@pytest.mark.parametrize("given", [{}, {"weights": "x", "init": 0}, {"init": 0, "reference": True}], ids=str)
def test_which_weights_has_to_be_said(given: dict[str, Any], tmp_path: Path):
    with pytest.raises(ArchspecError, match="O009"):
        archspec.export("gpt2", tmp_path / "out", overrides=DECODER.params, **given)


def test_where_to_write_has_to_be_said():
    assert "give a folder" in refused("O009", None)


def test_a_provider_that_is_not_there(tmp_path: Path):
    text = refused("O003", tmp_path / "out", verification=Verification("cuda"))
    assert "it has" in text
    assert "archspec doctor" in text


def test_a_provider_that_does_not_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """As in the GPU build on a machine without one: it is listed, and ONNX Runtime would take the CPU."""
    monkeypatch.setattr(runtime, "available", lambda: tuple(runtime.NAMES.values()))
    assert "only CPUExecutionProvider started" in refused(
        "O003", tmp_path / "out", verification=Verification("cuda")
    )


def test_a_runtime_that_is_too_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(runtime.onnxruntime, "__version__", "1.22.1")
    assert "opset 23, which 1.23 runs" in refused("O004", tmp_path / "out")
    archspec.export("gpt2", tmp_path / "out", format=Format(profile="portable"), **SMALL)


def test_a_dtype_that_the_provider_does_not_compute_in(tmp_path: Path):
    assert "--no-verify" in refused("O005", tmp_path / "out", format=Format(dtype="bfloat16"))
    given: Any = {**SMALL, "format": Format(dtype="bfloat16"), "verification": Verification(run=False)}
    done = archspec.export("gpt2", tmp_path / "out", **given)
    assert done.models["model.onnx"].outputs[0].dtype == "bfloat16"


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"mode": "encoder-decoder"}, "O020"),
        ({"without": ("input_ids",)}, "O021"),
        ({"sizes": {"Q": 3}}, "A002"),
    ],
)
def test_a_format_that_the_model_does_not_have(given: Any, code: str, tmp_path: Path):
    refused(code, tmp_path / "out", format=Format(**given))


def test_without_torch_there_has_to_be_a_case(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def found(name: str) -> object:
        return None if name == "torch" else name

    monkeypatch.setattr("archspec.api_export.find_spec", found)
    assert "--record" in refused("O008", tmp_path / "out", weights=folder, overrides=DECODER.params)


@pytest.mark.parametrize("kind", ["text", "other", "empty"])
def test_a_case_of_another_model(kind: str, tmp_path: Path):
    path = tmp_path / "case.npz"
    if kind == "text":
        path.write_text("no")
    else:
        arrays: dict[str, Any] = {"0/input/pixels": np.ones(2)} if kind == "other" else {}
        np.savez(path, allow_pickle=False, **arrays)
    refused("O007", tmp_path / "out", verification=Verification(case=path))


def test_a_case_with_other_results(tmp_path: Path):
    path = tmp_path / "case.npz"
    ids, logits = np.ones((1, 3), dtype=np.int64), np.ones((1, 3, 64), dtype=np.float32)
    arrays: Any = {"0/input/input_ids": ids, "0/output/logits": logits}
    np.savez(path, allow_pickle=False, **arrays)
    without = Format(without=("attention_mask", "position_ids"))
    refused("O002", tmp_path / "out", format=without, verification=Verification(case=path))


def test_a_file_ends_at_two_gigabytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(save, "MESSAGE_LIMIT", 1000)
    assert "2 GiB" in refused("O011", tmp_path / "out", format=Format(external=False))
    archspec.export("gpt2", tmp_path / "out", format=Format(external=True), **SMALL)


def test_an_operation_without_a_rule_is_located(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from archspec.backends.onnx.place import RULES  # lazy: beside what is changed
    from archspec.ir.ops.norm import LayerNorm

    monkeypatch.delitem(RULES._verdicts, LayerNorm)  # pyright: ignore[reportPrivateUsage]
    with pytest.raises(ArchspecError) as error:
        archspec.export("gpt2", tmp_path / "out", **SMALL)
    assert [each.code for each in error.value.diagnostics] == ["U004"]
    assert error.value.diagnostics[0].span is not None


def test_a_nan_is_never_equal():
    one, nan = np.ones(3), np.full(3, np.nan)
    assert not compare.difference("y", nan, one, 1.0).holds
    assert not compare.difference("y", one, nan, 1.0).holds
    assert not compare.difference("y", np.ones(2), one, 1.0).holds
    both = np.array([np.inf, 1.0])
    assert compare.difference("y", both, both + 1e-6, 1e-4).holds
    assert verify.TOLERANCES["float32"] == 1e-4


def test_other_dtypes_than_float_are_kept(tmp_path: Path):
    spec = """\
archspec: 1
name: looked
inputs: {x: "float[B, S, 4]"}
model:
  - y: {op: linear, in: x, out: 2}
outputs: {y: y}
"""
    module = archspec.compile(written(tmp_path, spec, "looked.yaml"), seed=0)
    done = archspec.export(tmp_path / "looked.yaml", tmp_path / "out", weights=module.to(torch.float64))
    assert done.checks[2].sizes == {"B": 3, "S": 16}
