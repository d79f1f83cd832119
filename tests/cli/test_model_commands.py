"""build, run and export, on small models."""

import json
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoModelForCausalLM

import archspec
from archspec.text_tokens import Tokens
from tests.checkpoints import DECODER, ENCODER, IDS, SEQ2SEQ, Reference
from tests.cli.runner import cli, data, found

PROMPT = ("--prompt-ids", ",".join(map(str, IDS)))
SMALL = ("gpt2", *DECODER.words)
RUN = ("run", *SMALL, "--init", "0", "--prompt-ids", "1,2", "--max-new-tokens", "12")


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Bytes as tokens: a letter with an accent is two of them."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    made = Tokenizer(models.BPE({letter: number for number, letter in enumerate(letters)}, []))
    made.pre_tokenizer, made.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    made.save(str(path))
    return path


@pytest.mark.parametrize("reference", [DECODER, SEQ2SEQ], ids=lambda r: r.spec)
def test_run_says_what_the_reference_says(reference: Reference, tmp_path: Path):
    model = reference.save(tmp_path)
    words = ("run", reference.spec, *reference.words, "--weights", tmp_path, *PROMPT, "--max-new-tokens", 9)
    line = cli(*map(str, words)).stdout
    assert [int(word) for word in line.split()] == reference.greedy(model, 9)
    assert data(*map(str, words)) == {"prompt": IDS, "ids": reference.greedy(model, 9)}


def test_run_is_greedy_unless_an_option_speaks_of_drawing():
    greedy = cli(*RUN).stdout
    assert len(greedy.split()) == 12
    assert cli(*RUN, "--temperature", "0").stdout == greedy
    drawn = cli(*RUN, "--seed", "5").stdout
    assert drawn != greedy
    assert cli(*RUN, "--seed", "5", "--temperature", "1").stdout == drawn
    assert cli(*RUN, "--top-k", "1").stdout == greedy
    assert cli(*RUN, "--top-p", "1e-6").stdout == greedy


def test_run_stops_behind_the_end_token():
    ids = cli(*RUN, "--seed", "5").stdout.split()
    cut = cli(*RUN, "--seed", "5", "--eos-id", ids[2]).stdout.split()
    assert cut == ids[: ids.index(ids[2]) + 1]


def test_run_with_text(tokenizer: Path):
    words = ("run", "gpt2", *DECODER.words, "--set", "vocab_size=256", "--init", "1", "--seed", "2")
    words += ("--max-new-tokens", "9")
    answer = data(*words, "--prompt", "né", "--tokenizer", tokenizer)
    assert answer["prompt"] == Tokens.read(tokenizer).encode("né")
    assert answer["text"] == Tokens.read(tokenizer).decode(answer["ids"])
    assert cli(*words, "--prompt", "né", "--tokenizer", tokenizer).stdout == answer["text"] + "\n"


def test_text_comes_character_by_whole_character(tokenizer: Path):
    tokens = Tokens.read(tokenizer)
    ids = tokens.encode("aéb")
    assert len(ids) == 4
    assert list(tokens.pieces(iter(ids))) == ["a", "é", "b", ""]
    assert "".join(tokens.pieces(iter(ids[:2]))) == "a\ufffd"


def test_a_model_that_does_not_decode_describes_its_outputs():
    lines = cli("run", "bert", *ENCODER.words, "--init", "0", *PROMPT).stdout.splitlines()
    assert lines[0] == "logits [1, 4, 64]"
    assert [line.split(":")[0].strip() for line in lines[1:]] == ["0", "1", "2", "3"]
    (record,) = data("run", "bert", *ENCODER.words, "--init", "0", *PROMPT)
    assert record["shape"] == [1, 4, 64]
    lines = cli(
        "run", "bert", *ENCODER.words, "--preset", "encoder", "--init", "0", *PROMPT
    ).stdout.splitlines()
    assert lines == ["last_hidden_state [1, 4, 16]", "pooler_output [1, 16]"]


def test_build_names_what_it_wrote(tmp_path: Path):
    out = tmp_path / "out"
    assert cli("build", *SMALL, "-o", out).stdout == f"{out / 'model.py'}\n{out / 'spec.resolved.yaml'}\n"
    assert data("build", *SMALL, "-o", out, "--attention", "eager", "--init", "0")[2] == str(
        out / "model.safetensors"
    )
    assert (out / "model.py").read_text() == archspec.source(
        archspec.load("gpt2", overrides=DECODER.params), attention="eager"
    )


def test_export_writes_what_transformers_loads(tmp_path: Path):
    assert cli("export", *SMALL, "--hf", tmp_path / "hf", "--init", "0").stdout == f"{tmp_path / 'hf'}\n"
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path / "hf").eval()
    ours = archspec.compile("gpt2", overrides=DECODER.params, seed=0)
    ids = torch.tensor([IDS])
    with torch.no_grad():
        torch.testing.assert_close(ours(ids), theirs(ids).logits, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    "words",
    [
        ("run", *SMALL, "--prompt-ids", "1"),
        ("run", *SMALL, "--init", "0"),
        ("run", *SMALL, "--init", "0", "--prompt-ids", "1,b"),
        ("run", *SMALL, "--init", "0", "--prompt", "a"),
        (*RUN, "--weights", "x"),
        (*RUN, "--prompt", "a"),
        (*RUN, "--top-p", "0"),
        (*RUN, "--temperature", "-1"),
        (*RUN, "--seed", "-1"),
        ("export", *SMALL, "--hf", "x"),
        ("build", *SMALL, "-o", "x", "--attention", "flash"),
    ],
)
def test_a_wrong_command_line_ends_with_2(words: tuple[str, ...]):
    cli(*words, status=2)


def test_what_the_files_and_the_prompt_get_wrong_is_a_finding(tmp_path: Path):
    (tmp_path / "tokenizer.json").write_text(json.dumps({"model": 1}))
    assert found(*RUN, "--tokenizer", str(tmp_path / "tokenizer.json")) == [("X009", None, None)]
    assert found(*RUN, "--tokenizer", str(tmp_path / "nowhere.json")) == [("X009", None, None)]
    assert found("run", *SMALL, "--init", "0", "--prompt-ids", "64") == [("X006", None, None)]
    assert found("run", *SMALL, "--weights", str(tmp_path / "no"), *PROMPT) == [("W020", None, None)]
    assert found("build", *SMALL, "-o", str(tmp_path / "tokenizer.json")) == [("F002", None, None)]
