"""onnxruntime-genai generates what our own greedy decoding does."""

import json
from pathlib import Path

import pytest

import archspec
from archspec.errors import UnsupportedError
from archspec.exporting.format import Format
from tests.clients.running import export, greedy, model, run, spec

PROMPTS = [[3, 5, 1, 7, 2], [1, 2, 9, 4, 30]]
LIMIT = 12


@pytest.mark.parametrize("name", ["gpt2", "llama"])
@pytest.mark.parametrize("rows", [1, 2])
def test_generation(name: str, rows: int, tmp_path: Path):
    """Learned positions; rotary ones, and two heads of queries to a head of keys."""
    of = spec(name)
    made = model(of)
    export(of, made, tmp_path / "model", Format(layout="genai"))
    said = run("genai", "generate_genai.py", tmp_path / "model", LIMIT, given=json.dumps(PROMPTS[:rows]))
    wanted = [[*prompt, *greedy(of, made, prompt, LIMIT)] for prompt in PROMPTS[:rows]]
    assert json.loads(said) == wanted
    assert len(set(wanted[0])) > 5  # a model that says one thing alone would prove little


def test_the_config(tmp_path: Path):
    of = spec("llama")
    archspec.export(of, tmp_path, init=0, format=Format(layout="genai"))
    found = json.loads((tmp_path / "genai_config.json").read_text())["model"]
    assert (found["type"], found["vocab_size"], found["context_length"]) == ("decoder", 37, 131072)
    sizes = ("num_hidden_layers", "num_attention_heads", "num_key_value_heads", "head_size")
    assert [found["decoder"][size] for size in sizes] == [2, 4, 2, 8]
    assert "position_ids" in found["decoder"]["inputs"]


@pytest.mark.parametrize("name", ["bert", "t5"])
def test_what_it_does_not_run(name: str, tmp_path: Path):
    with pytest.raises(UnsupportedError) as error:
        archspec.export(spec(name), tmp_path / "out", init=0, format=Format(layout="genai"))
    assert [found.code for found in error.value.diagnostics] == ["O040"]
    assert not (tmp_path / "out").exists()
