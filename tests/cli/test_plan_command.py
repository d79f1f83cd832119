"""`archspec plan` on the command line: training, serving, and what it refuses."""

import json

from tests.cli.runner import cli, found

TRAIN = ("plan", "gpt2", "S=1024", "--device", "a100", "--gpus", "8", "--batch", "64")
SERVE = ("plan", "gpt2", "vit", "--serve", "--device", "h100", "--gpus", "4")


def test_training_shows_layouts_and_the_first_in_detail():
    text = cli(*TRAIN, "--top", "3").stdout
    for words in ("sequences a step", "MFU", "Memory of its fullest device", "What was tried", "--reserve"):
        assert words in text
    assert "tp 8 does not divide num_heads = 12" in text


def test_json_holds_exact_numbers():
    tables = json.loads(cli(*TRAIN, "--top", "2", "--tokens", "300G", "--format", "json").stdout)
    rows = {row["label"]: row for table in tables for row in table["rows"]}
    assert set(rows["step"]) == {"label", "unit", "note", "value"}
    assert rows["steps"]["value"] == round(300e9 / (64 * 1024))
    assert rows["money"]["value"]["best"] < rows["money"]["value"]["worst"]


def test_serving_places_all_specs():
    text = cli(*SERVE, "--load", "2", "--load", "vit=50", "--in", "gpt2=128", "--out", "32").stdout
    assert "128 tokens in, 32 out" in text
    assert "50 /s" in text
    assert "together" in text


def test_what_cannot_be_planned_is_a_finding():
    assert found(*TRAIN, "--reserve", "79.99GiB") == [("G017", None, None)]
    assert found(*SERVE, "--load", "gpt2=1") == [("G019", None, None)]
    assert found(*SERVE, "--load", "1e9") == [("G018", None, None)]


def test_wrong_words_are_a_wrong_command_line():
    assert "--batch" in cli(*TRAIN[:-2], status=2).stderr
    assert "SPEC=NUMBER" in cli(*SERVE, "--load", "gpt2=many", status=2).stderr
    assert "one spec" in cli(*TRAIN, "vit", status=2).stderr
    assert "SIZE=NUMBER" in cli(*TRAIN, "S=long", status=2).stderr
