"""Models of real checkpoints as ONNX: the same as the reference library, whatever way the weights take."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

import archspec
from archspec import Format, Verification
from tests.checkpoints import DECODER, SEQ2SEQ, Reference
from tests.exporting.small import EXPERTS, FAMILIES, GATED, places, saved

UNVERIFIED = Verification(run=False)
IDS = np.array([[5, 9, 33, 2, 7], [1, 60, 3, 3, 8]])
# Sums in another order; the largest logits are near 10.
CLOSE: Any = {"atol": 1e-4, "rtol": 1e-4}


def logits(folder: Path, ids: Any = IDS, name: str = "model.onnx") -> Any:
    session = onnxruntime.InferenceSession(folder / name, providers=["CPUExecutionProvider"])
    names = {each.name for each in session.get_inputs()}
    ones = {name: np.ones_like(ids) for name in names & {"attention_mask"}}
    places = {name: np.arange(ids.shape[1])[None].repeat(len(ids), 0) for name in names & {"position_ids"}}
    zeros = {name: np.zeros_like(ids) for name in names & {"token_type_ids"}}
    return session.run(["logits"], {"input_ids": ids, **ones, **places, **zeros})[0]


def wanted(model: Any) -> Any:
    with torch.no_grad():
        return model(torch.from_numpy(IDS)).logits.numpy()


@pytest.mark.parametrize("reference", FAMILIES.values(), ids=FAMILIES)
@pytest.mark.parametrize("by_reference", [False, True], ids=["copied", "referenced"])
def test_a_checkpoint_says_the_same(reference: Reference, by_reference: bool, tmp_path: Path):
    model = saved(reference, tmp_path)
    out = None if by_reference else tmp_path / "out"
    done = archspec.export(
        reference.spec, out, weights=tmp_path, reference=by_reference, overrides=reference.params
    )
    assert [len(check.sizes) > 0 and check.holds for check in done.checks] == [True] * 3
    assert len({(check.sizes["B"], check.sizes["S"]) for check in done.checks}) == 3
    np.testing.assert_allclose(logits(Path(done.folder)), wanted(model), **CLOSE)


@pytest.mark.parametrize("profile", ["standard", "portable", "genai"])
def test_every_profile(profile: Any, tmp_path: Path):
    done = archspec.export("gpt2", tmp_path, init=0, overrides=DECODER.params, format=Format(profile=profile))
    written = done.models["model.onnx"]
    assert written.opset == {"standard": 23, "portable": 18, "genai": 23}[profile]
    onnx.checker.check_model(tmp_path / "model.onnx", full_check=profile != "genai")


@pytest.mark.parametrize(
    ("reference", "mode", "files"),
    [
        (DECODER, "cached", ["model.onnx"]),
        (DECODER, "prefill-decode", ["decoder_model.onnx", "decoder_with_past_model.onnx"]),
        (SEQ2SEQ, "full", ["model.onnx"]),
        (
            SEQ2SEQ,
            "encoder-decoder",
            ["encoder_model.onnx", "decoder_model.onnx", "decoder_with_past_model.onnx"],
        ),
    ],
)
def test_every_mode_is_verified_step_by_step(
    reference: Reference, mode: Any, files: list[str], tmp_path: Path
):
    """Of 16 tokens, 9 come first and then chunks and single ones, each given what the step before left."""
    done = archspec.export(
        reference.spec, tmp_path, init=0, overrides=reference.params, format=Format(mode=mode)
    )
    assert list(done.models) == files
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(files)
    assert all(check.holds and check.worst.found > 0 for check in done.checks)


def test_onnx_runtimes_own_attention_is_verified_token_by_token(tmp_path: Path):
    """It takes no chunk of several rows behind a cache, and no padding."""
    what = Format(profile="genai", mode="cached")
    done = archspec.export("gpt2", tmp_path, init=0, overrides=DECODER.params, format=what)
    assert len(done.checks) == 3
    kinds = {node.op_type for node in onnx.load(tmp_path / "model.onnx").graph.node}
    assert "GroupQueryAttention" in kinds


def test_weights_stay_where_they_lie(tmp_path: Path):
    """Tables are not copied; where the checkpoint has another layout than ours, nodes turn them."""
    saved(DECODER, tmp_path)
    before = hashlib.sha256((tmp_path / "model.safetensors").read_bytes()).hexdigest()
    done = archspec.export("gpt2", weights=tmp_path, reference=True, overrides=DECODER.params)
    found = places(tmp_path / "model.onnx")
    assert found.files == {"model.safetensors"}
    assert found.own < 200 < done.models["model.onnx"].held
    assert hashlib.sha256((tmp_path / "model.safetensors").read_bytes()).hexdigest() == before
    assert {path.name for path in tmp_path.iterdir()} >= {"model.onnx", "config.json"}


def test_a_matrix_that_is_stored_as_it_is_read_needs_no_transpose(tmp_path: Path):
    """The projections of this checkpoint are [in, out]: turned to ours and back, they are left alone."""
    saved(DECODER, tmp_path)
    archspec.export(
        "gpt2", weights=tmp_path, reference=True, overrides=DECODER.params, verification=UNVERIFIED
    )
    nodes = onnx.load(tmp_path / "model.onnx", load_external_data=False).graph.node
    turned = [
        node for node in nodes if node.op_type == "Transpose" and node.input[0].startswith("checkpoint/")
    ]
    assert turned == []


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("by_reference", [False, True], ids=["copied", "referenced"])
def test_half_precision_of_the_file_is_widened(dtype: torch.dtype, by_reference: bool, tmp_path: Path):
    model = saved(GATED, tmp_path, dtype)
    out = None if by_reference else tmp_path / "out"
    done = archspec.export("llama", out, weights=tmp_path, reference=by_reference, overrides=GATED.params)
    np.testing.assert_allclose(logits(Path(done.folder)), wanted(model), **CLOSE)


def test_stacked_experts_are_cut_in_the_graph(tmp_path: Path):
    model = saved(EXPERTS, tmp_path)
    done = archspec.export("mixtral", weights=tmp_path, reference=True, overrides=EXPERTS.params)
    np.testing.assert_allclose(logits(Path(done.folder)), wanted(model), **CLOSE)


def test_a_compiled_module_and_a_file_of_our_own_names(tmp_path: Path):
    module = archspec.compile("gpt2", overrides=DECODER.params, seed=3)
    archspec.export("gpt2", tmp_path / "a", weights=module, overrides=DECODER.params)
    spec = archspec.load("gpt2", overrides=DECODER.params)
    archspec.build(spec, tmp_path / "b", init=3)
    archspec.export(spec, weights=tmp_path / "b", reference=True)
    archspec.export(spec, tmp_path / "c", init=3)
    first = logits(tmp_path / "a")
    np.testing.assert_allclose(logits(tmp_path / "b"), first, **CLOSE)
    assert np.array_equal(logits(tmp_path / "c"), first)


def test_half_precision(tmp_path: Path):
    done = archspec.export("gpt2", tmp_path, init=0, overrides=DECODER.params, format=Format(dtype="float16"))
    assert str(done.models["model.onnx"].outputs[0]).startswith("logits float16")
    assert done.tolerance == 1e-2
    assert all(check.holds for check in done.checks)


def test_sizes_that_are_fixed_are_numbers(tmp_path: Path):
    fixed = Format(sizes={"B": 2, "S": 5}, without=("attention_mask", "position_ids"))
    done = archspec.export("gpt2", tmp_path, init=0, overrides=DECODER.params, format=fixed)
    written = done.models["model.onnx"]
    assert [port.shape for port in (*written.inputs, *written.outputs)] == [(2, 5), (2, 5, 64)]
    kinds = {node.op_type for node in onnx.load(tmp_path / "model.onnx").graph.node}
    assert "Shape" not in kinds


@pytest.mark.parametrize(
    ("external", "files"), [(None, 1), (True, 2), (False, 1)], ids=["small", "apart", "one"]
)
def test_weights_in_a_file_of_their_own(external: bool | None, files: int, tmp_path: Path):
    done = archspec.export(
        "gpt2", tmp_path, init=0, overrides=DECODER.params, format=Format(external=external)
    )
    written = done.models["model.onnx"]
    assert written.files == ("model.onnx", "model.onnx_data")[:files]
    assert written.size == sum(path.stat().st_size for path in tmp_path.iterdir())
    assert places(tmp_path / "model.onnx").files == ({"model.onnx_data"} if files == 2 else set())


def test_results_can_be_recorded_and_compared_with(tmp_path: Path):
    recorded = tmp_path / "case.npz"
    small: Any = {"init": 0, "overrides": DECODER.params}
    archspec.export("gpt2", tmp_path / "a", verification=Verification(record=recorded), **small)
    done = archspec.export("gpt2", tmp_path / "b", verification=Verification(case=recorded), **small)
    assert len(done.checks) == 3
    assert (tmp_path / "a/model.onnx").read_bytes() == (tmp_path / "b/model.onnx").read_bytes()


def test_how_each_operation_is_written():
    table = archspec.verdicts(archspec.load("gpt2", overrides=DECODER.params))
    verdicts = {row.label: row.values for row in table.rows}
    assert verdicts["linear"][1] == "rule"
    assert all(values[1] == "rule" or values[2] for values in verdicts.values())


def test_outputs_that_are_nearly_zero_show_little(tmp_path: Path):
    """As where the last layer starts at zero."""
    module: Any = archspec.compile("gpt2", overrides=DECODER.params, seed=0)
    with torch.no_grad():
        module.ln_f.weight.zero_()
    done = archspec.export("gpt2", tmp_path, weights=module, overrides=DECODER.params)
    assert "logits is nearly zero" in archspec.export_tables(done)[-1].notes[-1]
    ordinary = archspec.export("gpt2", tmp_path, init=0, overrides=DECODER.params)
    assert len(archspec.export_tables(ordinary)[-1].notes) == 1
