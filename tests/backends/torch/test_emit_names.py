"""Names that mean something in source already: no variable, function or class takes another's."""

from pathlib import Path
from string import Template
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from archspec import api
from archspec.backends.torch.classes import camel, model_name
from archspec.backends.torch.copied import FILES, RUNTIME, runtime_names
from archspec.backends.torch.emit import emit
from archspec.backends.torch.words import ATTRIBUTES, METHODS, READ, RESERVED
from archspec.errors import UnsupportedError
from tests.backends.torch.emitted import ATTENTIONS, classes, document, root

SPEC = Template("""
params: {$width: 16, $heads: 4, $by: 2, $plus: 3}
inputs:
  $seen: bool[B, $length]
  x: "[B, $length, $width]"
  $also: {type: "bool[B, $length]", optional: true}
model:
  - $norm: {op: rmsnorm, in: x}
  - $sum: "$norm * $by + $plus"
  - $loop: {repeat: 2, in: $sum, body: [{$loop: {op: linear, out: $width}}, {$norm: rmsnorm}]}
  - $attn: {op: attention, num_heads: $heads, mask: padding($seen) and padding($also), dropout: 0.1}
  - $drop: {op: dropout, p: 0.2}
  - $bias: "full([$heads, $length, $length], 0.5)"
  - $more:
      - $attn: {op: attention, in: $drop, num_heads: $heads, mask: causal, score_bias: $bias}
      - $mlp: {op: mlp, intermediate_size: 2*$width, dropout: 0.2}
  - $q, $k: "split($more, 2, axis=-1)"
  - $out: {op: linear, in: $q, out: 3}
outputs: {y: $out, $results: $more}
losses: {lm: {op: mse, input: y, target: "zeros_like(y)"}}
""")  # fmt: skip
PLAIN = {
    "width": "width_", "heads": "heads", "by": "by", "plus": "plus", "seen": "seen", "length": "L",
    "also": "also", "norm": "norm", "sum": "total", "loop": "loop", "attn": "attn", "drop": "drop",
    "more": "more", "mlp": "mlp", "q": "q", "k": "k", "out": "out", "results": "results", "bias": "bias",
}  # fmt: skip
HOSTILE = {
    "width": "H", "heads": "weights", "by": "half", "plus": "Block", "seen": "padding_mask", "length": "F",
    "also": "keys", "norm": "rms_norm", "sum": "torch", "loop": "h", "attn": "masked_bias",
    "drop": "dropout",
    "more": "range", "mlp": "scores", "q": "self_", "k": "Output", "out": "KVCache", "results": "out",
    "bias": "bias_2",
}  # fmt: skip
WORSE = HOSTILE | {
    "seen": "mask", "also": "start", "norm": "causal_mask", "sum": "nn", "loop": "layer", "attn": "Attention",
    "drop": "weights_2", "more": "enumerate", "mlp": "dropout_2", "length": "Tensor", "q": "cache",
    "k": "past",
}  # fmt: skip


def run(words: dict[str, str], attention: str, folder: Path) -> tuple[list[Tensor], Any]:
    """The outputs and the loss of the model under these names, always from the same tensors."""
    model: Any = api.compile(document(folder, SPEC.substitute(words)), attention=attention)
    random = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for tensor in model.parameters():
            tensor.normal_(0, 0.3, generator=random)
    given = {
        words["seen"]: torch.tensor([[True, True, False, True, True], [True, False, True, True, False]]),
        "x": torch.randn(2, 5, 16, generator=random),
        words["also"]: torch.tensor([[True, True, True, True, False], [True, True, True, True, True]]),
    }
    return [*model(**given), model.loss(**given)], model


@pytest.mark.parametrize("attention", ATTENTIONS)
@pytest.mark.parametrize("words", [HOSTILE, WORSE], ids=["hostile", "worse"])
def test_other_names_compute_the_same(words: dict[str, str], attention: str, tmp_path: Path):
    wanted, _ = run(PLAIN, attention, tmp_path)
    found, model = run(words, attention, tmp_path)
    for ours, theirs in zip(found, wanted, strict=True):
        torch.testing.assert_close(ours, theirs)
    assert f"{words['norm']}.weight" in model.state_dict()


MODULE = 'inputs: {x: "[B, 4]"}\nmodel: [{$name: {op: linear, in: x, out: 4}}]\noutputs: {y: $name}'
INPUT = 'inputs: {$name: "[B, 4]"}\nmodel: [{l: {op: linear, in: $name, out: 4}}]\noutputs: {y: l}'
NUMBER = """
params: {$name: 4}
inputs: {x: "[B, 4]"}
model: [{l: {op: linear, in: x, out: $name}}]
outputs: {y: l}
"""


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (MODULE, ("train", "type", "forward", "loss", "parameters", "half")),
        (INPUT, ("F", "nn", "torch", "zip")),
        (NUMBER, ("math", "Tensor", "super")),
    ],
    ids=["module", "input", "number"],
)
def test_a_name_that_cannot_be_kept_is_refused(text: str, names: tuple[str, ...], tmp_path: Path):
    for name in names:
        graph = api.lower(document(tmp_path, Template(text).substitute(name=name)))
        with pytest.raises(UnsupportedError) as error:
            emit(graph)
        (found,) = error.value.diagnostics
        assert (found.code, found.hint) == ("U004", f"call it '{name}_'")


def test_what_modules_have_is_known():
    here = {name for name in (*dir(nn.Module), *vars(nn.Module())) if not name.startswith("_")}
    assert here == ATTRIBUTES
    assert not METHODS & ATTRIBUTES
    assert READ <= RESERVED


def test_every_file_of_functions_is_known():
    others = {"__init__", "load"}
    assert {path.stem for path in RUNTIME.glob("*.py")} == {*FILES} | others
    assert {"KVCache", "rms_norm", "masked_bias"} <= runtime_names()


@pytest.mark.parametrize(
    ("name", "spelt"),
    [
        ("gpt2", "GPT2"),
        ("t5", "T5"),
        ("sd15-unet", "SD15Unet"),
        ("my_lm", "MyLM"),
        ("t5-v1.1", "T5V11"),
        ("tensor", "TensorModel"),
        ("f", "FModel"),
        ("output", "OutputModel"),
    ],
)
def test_a_model_is_called_after_its_spec(name: str, spelt: str):
    assert model_name(name) == spelt


@pytest.mark.parametrize(
    ("name", "spelt"), [("dec_layer", "DecLayer"), ("rmsnorm", "RMSNorm"), ("attn1", "Attn1")]
)
def test_a_class_is_called_after_its_block(name: str, spelt: str):
    assert camel(name) == spelt


def test_one_name_for_several_classes_tells_where_they_stand(tmp_path: Path):
    text = emit(
        api.lower(
            document(
                tmp_path,
                """
inputs: {x: "[B, S, 8]"}
model:
  - left: [{mlp: {op: mlp, in: x, intermediate_size: 8}}]
  - right: [{mlp: {op: mlp, intermediate_size: 8, gated: true}}]
outputs: {y: right}
""",
            )
        )
    )
    assert classes(text) == ["LeftMLP", "Left", "RightMLP", "Right", "Case"]
    assert root(text)().left.mlp.up.out_features == 8
