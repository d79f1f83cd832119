"""Folders for clients: names of files, inputs and outputs. That clients load them is in tests/clients."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest

import archspec
from archspec.errors import ArchspecError, SpecError
from archspec.exporting.format import Dtype, Format, LayoutName, Quantization
from archspec.reports.export import Exported
from archspec.spec.spec import Spec
from tests.clients.running import spec


def export(
    of: Spec, folder: Path, layout: LayoutName | None, quantize: Quantization | None = None
) -> Exported:
    return archspec.export(of, folder, init=0, format=Format(layout=layout, quantize=quantize))


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def names(done: Exported, file: str) -> tuple[list[str], list[str]]:
    model = done.models[file]
    return [port.name for port in model.inputs], [port.name for port in model.outputs]


@pytest.mark.parametrize(
    ("quantize", "name"), [(None, "model"), ("int8", "model_quantized"), ("int4", "model_q4")]
)
def test_names_of_the_web(quantize: Quantization | None, name: str, tmp_path: Path):
    done = export(spec("gpt2"), tmp_path, "web", quantize)
    assert files(tmp_path) == {"config.json", f"onnx/{name}.onnx"}
    assert done.models[f"onnx/{name}.onnx"].inputs[0].shape == ("batch_size", "sequence_length")
    assert json.loads((tmp_path / "config.json").read_text())["model_type"] == "gpt2"


def test_names_of_half_precision(tmp_path: Path):
    archspec.export(spec("bert"), tmp_path, init=0, format=Format(layout="web", dtype="float16"))
    assert files(tmp_path) == {"config.json", "onnx/model_fp16.onnx"}


def test_an_encoder_with_a_decoder(tmp_path: Path):
    """In the order of state that optimum has: of each layer its own keys and values, then the encoder's."""
    done = export(spec("t5"), tmp_path, "optimum")
    models = {"encoder_model.onnx", "decoder_model.onnx", "decoder_with_past_model.onnx"}
    assert files(tmp_path) == {"config.json", *models}
    assert names(done, "encoder_model.onnx") == (["input_ids", "attention_mask"], ["last_hidden_state"])
    taken, left = names(done, "decoder_with_past_model.onnx")
    kinds = ("decoder.key", "decoder.value", "encoder.key", "encoder.value")
    state = [f"past_key_values.{layer}.{kind}" for layer in range(2) for kind in kinds]
    assert [name for name in taken if name.startswith("past")] == state
    assert {"input_ids", "encoder_attention_mask"} <= set(taken)
    assert left == ["logits", *(f"present.{i}.{kind}" for i in range(2) for kind in kinds[:2])]


def _weights(graph: onnx.GraphProto) -> set[str]:
    return {tensor.name for tensor in graph.initializer if "." in tensor.name}


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_a_merged_decoder_of_the_web(dtype: Dtype, tmp_path: Path):
    """Both branches read the same weights, which the file holds once; both are run when it is verified."""
    asked = Format(layout="web", dtype=dtype)
    done = archspec.export(spec("t5"), tmp_path, init=0, format=asked)
    suffix = "" if dtype == "float32" else "_fp16"
    stems = [f"onnx/{stem}{suffix}.onnx" for stem in ("encoder_model", "decoder_model_merged")]
    assert files(tmp_path) == {"config.json", *stems}
    taken, left = names(done, stems[1])
    kinds = ("decoder.key", "decoder.value", "encoder.key", "encoder.value")
    ends = [f"{layer}.{kind}" for layer in range(2) for kind in kinds]
    assert left == ["logits", *(f"present.{end}" for end in ends)]
    past = [f"past_key_values.{end}" for end in ends]
    inputs = ["input_ids", "encoder_attention_mask", *past, "encoder_hidden_states", "use_cache_branch"]
    assert taken == inputs
    proto = onnx.load(tmp_path / stems[1])
    (choice,) = proto.graph.node
    weights = [_weights(graph) for graph in (proto.graph, *(each.g for each in choice.attribute))]
    assert len(weights[0]) > 20
    assert sum(map(len, weights)) == len(set[str]().union(*weights))
    onnx.checker.check_model(str(tmp_path / stems[1]), full_check=True)


def test_inputs_that_no_client_gives_are_left_out(tmp_path: Path):
    """optimum gives a decoder no mask of its own text."""
    small = {
        "num_encoder_layers": 1,
        "hidden_size": 16,
        "num_heads": 2,
        "vocab_size": 37,
        "max_positions": 40,
    }
    done = export(archspec.load("bart", overrides=small), tmp_path, "optimum")
    taken, _ = names(done, "decoder_model.onnx")
    assert sorted(taken) == ["encoder_attention_mask", "encoder_hidden_states", "input_ids"]


def test_scores_of_any_kind_are_logits(tmp_path: Path):
    done = export(spec("bert", head="classification"), tmp_path, "optimum")
    assert names(done, "model.onnx")[1] == ["logits"]


def test_a_spec_that_no_hub_knows(tmp_path: Path):
    own = tmp_path / "own.yaml"
    own.write_text(
        "archspec: 1\nname: own\nsummary: One product.\nsource: a test\ninputs: {x: 'float[B, 4]'}\n"
        "model: [{out: {op: linear, in: x, out: 3}}]\noutputs: {logits: out}\n"
    )
    with pytest.raises(SpecError, match="W050"):
        archspec.export(own, tmp_path / "out", init=0, format=Format(layout="optimum"))
    assert not (tmp_path / "out").exists()


def test_agreement_is_said(tmp_path: Path):
    """Largest difference and cosine, of int8 beside those of float32."""
    worst = [export(spec("bert"), tmp_path, None, bits).checks[-1].worst for bits in (None, "int8")]
    assert worst[0].cosine > 1 - 1e-9
    assert 0.99 < worst[1].cosine < 1 - 1e-7
    assert worst[0].found < 1e-5 < worst[1].found


def test_ranges_from_recorded_inputs(tmp_path: Path):
    of, case = spec("bert"), tmp_path / "case.npz"
    archspec.export(of, tmp_path / "a", init=0, verification=archspec.Verification(record=case))
    asked = Format(quantize="int8-static", calibration=case)
    done = archspec.export(of, tmp_path / "b", init=0, format=asked)
    assert all(check.worst.cosine > 0.98 for check in done.checks)


@pytest.mark.parametrize(
    ("format", "code"),
    [
        (Format(quantize="int8-static"), "O032"),
        (Format(quantize="int8", dtype="float16"), "O031"),
    ],
)
def test_what_cannot_be(format: Format, code: str, tmp_path: Path):
    with pytest.raises(ArchspecError) as error:
        archspec.export(spec("bert"), tmp_path / "out", init=0, format=format)
    assert [found.code for found in error.value.diagnostics] == [code]
    assert not (tmp_path / "out").exists()


def test_ranges_of_state_are_not_recorded(tmp_path: Path):
    case = tmp_path / "case.npz"
    of = spec("gpt2")
    archspec.export(of, tmp_path / "a", init=0, verification=archspec.Verification(record=case))
    asked = Format(quantize="int8-static", calibration=case, mode="cached")
    with pytest.raises(ArchspecError, match="past_key_values") as error:
        archspec.export(of, tmp_path / "b", init=0, format=asked)
    assert [found.code for found in error.value.diagnostics] == ["O034"]


def test_bits_of_a_reference(tmp_path: Path):
    of = spec("bert")
    archspec.export_hf(archspec.compile(of, seed=0), of, tmp_path)
    with pytest.raises(ArchspecError) as error:
        archspec.export(of, weights=tmp_path, reference=True, format=Format(quantize="int8"))
    assert [found.code for found in error.value.diagnostics] == ["O033"]
    assert np.array_equal(sorted(files(tmp_path)), ["config.json", "model.safetensors"])
