"""What is told of a measurement."""

from archspec.backends.onnx.agreement import Agreement
from archspec.reports.bench import Bench, Ran
from archspec.reports.table import render

FOUND = Bench(
    "model", "forward", {"B": 2, "S": 8}, 1, 16, "tokens",
    (
        Ran("torch", (0.4, 0.1, 0.2), 2**30, 2**20),
        Ran("onnxruntime", (0.1, 0.1, 0.1), 2**29, 2**19, Agreement(0.5, 2.0, 4.0)),
    ),
    {"torch.compile": "no compiler"},
    ("a machine",),
)  # fmt: skip


def test_ratios_are_taken_round_by_round():
    """Of the medians it would be 0.2 / 0.1 too, of the means 2.33."""
    assert [FOUND.ratio(ran) for ran in FOUND.results] == [1, 2]


def test_the_table():
    text = render([FOUND.table()], "text")
    title, head, torch, onnx, *notes = text.splitlines()
    assert title == "model, forward, B=2 S=8"
    assert head.split("  ")[-1] == "files"
    assert " ".join(torch.split()) == "torch 200 ms 400 ms 80 /s 1.00 1 GiB 1 MiB"
    assert " ".join(onnx.split()).startswith("onnxruntime 100 ms 100 ms 160 /s 2.00 512 MiB 512 KiB ")
    assert "cosine 0.500000, at most 2 apart where the largest number is 4" in onnx
    assert [note.strip() for note in notes] == [
        "note: a machine",
        "note: 3 rounds, in each of which every runtime ran once",
        "note: ratio: how many times as fast as torch, round by round",
        "note: memory: the most that its process had resident while it ran, libraries and weights included",
        "note: p99 of 3 runs: the slowest",
        "note: torch.compile did not run: no compiler",
    ]
