"""`archspec analyze` on the command line: forms, sizes, and what it refuses."""

import csv
import io
import json
from pathlib import Path

import pytest

from tests.cli.runner import cli, found

GPT2 = ("analyze", "gpt2", "--set", "num_layers=2", "--set", "hidden_size=48", "--set", "num_heads=4")
SIZED = (*GPT2, "B=1", "S=16")


def test_without_sizes_it_answers_in_symbols():
    text = cli(*GPT2).stdout
    assert "B * S**2" in text
    assert "Memory of" not in text


def test_with_sizes_it_answers_in_numbers():
    text = cli(*SIZED).stdout
    assert "B * S" not in text
    for title in ("Parameters", "FLOPs", "State of decoding", "Memory of inference", "Memory of training"):
        assert title in text
    assert "2 FLOPs per multiply-add" in text


def test_json_and_csv_hold_the_same_numbers():
    tables = json.loads(cli(*SIZED, "--format", "json").stdout)
    rows = list(csv.DictReader(io.StringIO(cli(*SIZED, "--format", "csv").stdout)))
    numbers = {(t["title"], r["label"]): r.get("value", r.get("full")) for t in tables for r in t["rows"]}
    assert numbers["Parameters", "tied: lm_head.weight"] == 0
    for row in rows:
        if row["column"] in ("", "full") and row["value"]:
            assert row["value"] == str(numbers[row["table"], row["label"]])


def test_what_is_alive_at_the_peak_is_listed():
    tables = json.loads(cli(*SIZED, "--at-peak", "--format", "json").stdout)
    rows = {t["title"]: {r["label"]: r["value"] for r in t["rows"] if "value" in r} for t in tables}
    alive = rows["Alive at the peak of inference, by what made it"]
    together = alive.pop("together")
    assert alive["lm_head: mm"] == 16 * 50257 * 2
    assert sum(alive.values()) == together == rows["Memory of inference"]["activations, at their peak"]


def test_what_is_alive_needs_sizes():
    assert found(*GPT2, "--at-peak") == [("A001", None, None)]


def test_markdown():
    assert "### Parameters" in cli(*SIZED, "--format", "markdown").stdout


def test_on_a_device_there_is_time_and_money():
    text = cli(*SIZED, "--device", "h100", "--tokens", "1e9").stdout
    for words in ("ideal time", "time per output token", "1M output tokens", "largest batch", "device hours"):
        assert words in text


def test_a_device_of_ones_own(tmp_path: Path):
    own = Path(__file__).parents[2] / "archspec" / "analysis" / "hardware" / "l4.yaml"
    (tmp_path / "mine.yaml").write_text(own.read_text(encoding="utf-8").replace("NVIDIA L4", "Mine"), "utf-8")
    assert "Forward on Mine" in cli(*SIZED, "--device", tmp_path / "mine.yaml").stdout


@pytest.mark.parametrize(
    ("words", "codes"),
    [
        (("B=0", "S=16"), ["A002"]),
        (("B=1", "S=-2"), ["A002"]),
        (("B=1", "T=2"), ["A002"]),
        (("B=1", "S=1025"), ["A003"]),
        (("B=1", "S=16", "--past", "1020"), []),
        (("B=1", "S=16", "--past", "1024"), ["A003"]),
        (("B=1", "S=16", "--checkpoint", "sometimes"), ["A004"]),
        (("B=1", "S=16", "--dtype", "float8"), ["A005"]),
        (("--device", "h100"), ["A001"]),
        (("B=1", "S=16", "--device", "h1000"), ["D001"]),
        (("B=1", "S=16", "--device", "t4"), ["D003"]),
        (("B=1", "S=16", "--precision", "tf32"), ["D005"]),
        (("B=1", "S=16", "--optimizer", "lion"), ["D005"]),
        (("B=1", "S=16", "--lora", "4", "--targets", "qqv"), ["D006"]),
        (("B=1", "S=16", "--lora", "4"), ["D006"]),
        (("--lora", "4", "--targets", "qqv"), ["D006"]),
        (("B=1", "S=16", "--device", "h100", "--outputs", "5000"), ["A003"]),
    ],
)
def test_what_it_refuses(words: tuple[str, ...], codes: list[str]):
    if not codes:
        cli(*GPT2, *words)
    else:
        assert [code for code, _, _ in found(*GPT2, *words)] == codes


@pytest.mark.parametrize(
    "words",
    [
        ("S",), ("S=",), ("S=many",), ("=4",), ("S=1.5",), ("B=1", "B=2"), ("--devices", "0"),
        ("--tokens", "0"), ("--outputs", "0"), ("--past", "-1"), ("--picked", "-1"), ("--lora", "0"),
        ("--reached", "file"),
    ],
)  # fmt: skip
def test_what_is_no_number_is_a_wrong_command_line(words: tuple[str, ...]):
    cli(*GPT2, *words, status=2)


def test_a_device_without_a_dtype_leaves_training_out():
    """A T4 has no bf16: what runs in fp16 is told, and a step of training in bf16 is not."""
    text = cli(*SIZED, "--device", "t4", "--dtype", "float16").stdout
    assert "expected" in text
    assert "no figure is known for t4: peak FLOP/s in bfloat16" in text
    assert (
        "step on one device"
        in cli(*SIZED, "--device", "t4", "--dtype", "float16", "--precision", "mixed-fp16").stdout
    )


def test_a_fused_attention_computes_what_its_mask_lets_through():
    long = ("analyze", "gpt2", "B=1", "S=1024", "--device", "h100", "--format", "json")
    tables = {t["title"]: t["rows"] for t in json.loads(cli(*long).stdout)}
    rows = {row["label"]: row for row in tables["Where the ideal time goes"]}
    classes = {row["label"]: row for row in tables["Forward FLOPs by class"]}
    assert rows["scaled_dot_product_attention"]["FLOPs"] == classes["attention"]["exact"]


@pytest.mark.parametrize("values", ["10..1", "0..10..0", "1..1000000000000"])
def test_a_range_that_is_none_is_a_wrong_command_line(values: str):
    cli("scale", "gpt2", "--set", f"num_layers={values}", status=2)


def test_a_sweep_ends():
    words = ("scale", "gpt2", "--set", "num_layers=1..100000", "--set", "vocab_size=1..10000")
    assert [code for code, _, _ in found(*words)] == ["A007"]
