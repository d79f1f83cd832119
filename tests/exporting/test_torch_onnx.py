"""PyTorch's own exporter as a second opinion on what the emitted module says in ONNX Runtime."""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch

import archspec
from archspec import Format
from tests.checkpoints import DECODER

IDS = np.array([[5, 9, 33, 2, 7], [1, 60, 3, 3, 8]])


@pytest.mark.slow  # tracing and translating take PyTorch's exporter ten seconds
def test_both_say_the_same(tmp_path: Path):
    module = archspec.compile("gpt2", overrides=DECODER.params, seed=0)
    without = Format(without=("attention_mask", "position_ids"))
    archspec.export("gpt2", tmp_path, weights=module, overrides=DECODER.params, format=without)
    exporter: Any = torch.onnx.export
    exporter(module, (torch.from_numpy(IDS),), tmp_path / "theirs.onnx", dynamo=True, opset_version=23)
    results: list[Any] = []
    for name in ("model.onnx", "theirs.onnx"):
        session: Any = onnxruntime.InferenceSession(tmp_path / name, providers=["CPUExecutionProvider"])
        results.append(session.run(None, {session.get_inputs()[0].name: IDS})[0])
    np.testing.assert_allclose(results[0], results[1], atol=1e-5, rtol=1e-4)
