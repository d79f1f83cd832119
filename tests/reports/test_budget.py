"""Limits on cost: kept, exceeded, and not to be decided."""

import pytest

import archspec
from archspec.errors import ArchspecError
from archspec.quantity import Kind, quantity
from archspec.reports.budget import LIMITED, check_budget
from archspec.reports.measures import MEASURES, Figure, Subject
from tests.cli.runner import cli

QUESTION = archspec.Question(sizes={"B": 1, "S": 128})
PLACE = archspec.Place(archspec.device("h100"))


def findings(limits: dict[str, float], place: archspec.Place | None = PLACE) -> list[str]:
    try:
        check_budget(archspec.analyze("gpt2", QUESTION), limits, place)
    except ArchspecError as error:
        return [str(found) for found in error.diagnostics]
    return []


def most(name: str) -> float:
    """The largest limit that is exceeded, nearly: the figure itself, at its worse end."""
    value: Figure = MEASURES[name].of(Subject(archspec.analyze("gpt2", QUESTION), PLACE))
    assert value is not None
    return value if isinstance(value, int | float) else value.worst


@pytest.mark.parametrize("name", LIMITED)
def test_a_limit_holds_up_to_the_figure_itself(name: str):
    limit = most(name)
    assert findings({name: limit}) == []
    (found,) = findings({name: limit * 0.999})
    assert found.startswith("E003 ")
    assert MEASURES[name].label in found


def test_a_finding_says_the_figure_the_limit_and_by_how_much():
    (found,) = findings({"params": 100e6})
    assert "124,439,808 (124 M), 24,439,808 (24.4 M) (24.4 %) more than the limit of 100,000,000" in found


def test_every_limit_exceeded_is_found_together():
    assert [found[:4] for found in findings(dict.fromkeys(LIMITED, 1e-9))] == ["E003"] * len(LIMITED)


def test_an_estimate_that_may_keep_a_limit_says_so():
    (found,) = findings({"latency": most("latency") * 0.99})
    assert "its better end keeps the limit" in found


def test_what_cannot_be_decided_is_an_error():
    assert [found[:4] for found in findings({"latency": 1.0}, None)] == ["E004"]
    account = archspec.analyze("gpt2")
    for name in ("flops", "memory", "training_memory", "latency", "cost"):
        with pytest.raises(ArchspecError, match="A001"):
            check_budget(account, {name: 1e30}, PLACE)


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("1.5e9", "count", 1.5e9), ("110M", "count", 110e6), ("7B", "count", 7e9), ("1_000", "count", 1000),
        ("16GiB", "bytes", 16 * 2**30), ("80 GB", "bytes", 80e9), ("100ms", "seconds", 0.1),
        ("2min", "seconds", 120), ("0.5", "seconds", 0.5), ("$0.02", "dollars", 0.02), ("3", "dollars", 3),
    ],
)  # fmt: skip
def test_quantities(text: str, kind: Kind, value: float):
    assert quantity(text, kind) == pytest.approx(value)


@pytest.mark.parametrize(
    ("text", "kind"),
    [("x", "count"), ("-1", "count"), ("1GiB", "seconds"), ("$1", "bytes"), ("nan", "count"), ("", "bytes")],
)
def test_what_is_no_quantity(text: str, kind: Kind):
    with pytest.raises(ValueError, match="is no number"):
        quantity(text, kind)


def test_the_command_ends_with_one():
    result = cli("analyze", "gpt2", "--max-params", "100M", status=1)
    assert "E003 parameters" in result.stderr
    cli("analyze", "gpt2", "--max-params", "130M")
    assert "--max-latency" in cli("analyze", "gpt2", "--max-latency", "10x", status=2).stderr
