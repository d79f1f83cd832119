"""optimum's classes load what is exported for them, and say what the model says.

Each test starts an interpreter that imports optimum, which takes seconds.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from archspec.exporting.format import Format
from archspec.spec.spec import Spec
from tests.clients.running import export, greedy, model, run, spec

IDS = np.array([[3, 5, 1, 7, 2], [9, 2, 3, 4, 30]])
PADDED = np.array([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])
LIMIT = 10


def said(kind: str, of: Spec, made: Any, folder: Path, *limit: int, **given: np.ndarray[Any, Any]) -> Any:
    export(of, made, folder / "model", Format(layout="optimum"))
    np.savez(folder / "given.npz", allow_pickle=False, **given)
    run(
        "optimum",
        "run_optimum.py",
        kind,
        folder / "model",
        folder / "given.npz",
        folder / "found.npz",
        *limit,
    )
    return np.load(folder / "found.npz")


@pytest.mark.parametrize(
    ("kind", "head", "name"),
    [
        ("ORTModelForMaskedLM", "mlm", "logits"),
        ("ORTModelForFeatureExtraction", "encoder", "last_hidden_state"),
        ("ORTModelForSequenceClassification", "classification", "logits"),
    ],
)
def test_encoders(kind: str, head: str, name: str, tmp_path: Path):
    of = spec("bert", head=head)
    made = model(of)
    found = said(kind, of, made, tmp_path, input_ids=IDS, attention_mask=PADDED)
    with torch.no_grad():
        wanted = made(input_ids=torch.from_numpy(IDS), attention_mask=torch.from_numpy(PADDED))
    first = wanted if isinstance(wanted, torch.Tensor) else wanted[0]
    np.testing.assert_allclose(found[name], first.numpy(), atol=1e-5)


@pytest.mark.parametrize(("name", "end"), [("gpt2", None), ("llama", 2)])
def test_decoders(name: str, end: int | None, tmp_path: Path):
    """transformers' default of the token that ends a text is in gpt2's case beyond this small vocabulary."""
    of = spec(name, **({"head_dim": 4} if name == "llama" else {}))  # optimum divides the width by the heads
    made = model(of)
    ones = np.ones_like(IDS)
    found = said("ORTModelForCausalLM", of, made, tmp_path, LIMIT, input_ids=IDS, attention_mask=ones)
    wanted = [[*row, *greedy(of, made, row, LIMIT, eos=end)] for row in IDS.tolist()]
    assert _until_end(found["tokens"].tolist(), wanted, padding=end or 0) == wanted


def test_an_encoder_with_a_decoder(tmp_path: Path):
    """A text ends with 1, and what follows is padding."""
    of = spec("t5")
    made = model(of, seed=4)
    ones = np.ones_like(IDS)
    found = said("ORTModelForSeq2SeqLM", of, made, tmp_path, LIMIT, input_ids=IDS, attention_mask=ones)
    wanted = [[0, *greedy(of, made, row, LIMIT, eos=1)] for row in IDS.tolist()]
    assert _until_end(found["tokens"].tolist(), wanted, padding=0) == wanted


def test_a_merged_decoder(tmp_path: Path):
    """The folder of transformers.js, whose names optimum knows too: one decoder, told when it has a cache."""
    of = spec("t5")
    made = model(of, seed=4)
    export(of, made, tmp_path, Format(layout="web"))
    (tmp_path / "config.json").rename(tmp_path / "onnx" / "config.json")
    given, found = tmp_path / "given.npz", tmp_path / "found.npz"
    np.savez(given, allow_pickle=False, input_ids=IDS, attention_mask=np.ones_like(IDS))
    run("optimum", "run_optimum.py", "ORTModelForSeq2SeqLM", tmp_path / "onnx", given, found, LIMIT)
    wanted = [[0, *greedy(of, made, row, LIMIT, eos=1)] for row in IDS.tolist()]
    assert _until_end(np.load(found)["tokens"].tolist(), wanted, padding=0) == wanted


def _until_end(found: list[list[int]], wanted: list[list[int]], padding: int) -> list[list[int]]:
    """As many tokens as are wanted; the rest must be padding."""
    rest = [token for row, known in zip(found, wanted, strict=True) for token in row[len(known) :]]
    assert set(rest) <= {padding}
    return [row[: len(known)] for row, known in zip(found, wanted, strict=True)]
