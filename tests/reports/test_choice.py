"""Models side by side: exclusions, the recommended one, and who is dominated."""

import json

import pytest

import archspec
from archspec.analysis.ranges import Range
from archspec.errors import ArchspecError
from archspec.reports.candidates import Candidate, dominated, longest_input
from archspec.reports.choice import Choice
from tests.cli.runner import cli, data

SPECS = {
    name: archspec.load(name, preset="encoder") for name in ("bert", "distilbert", "longformer")
}  # document classifiers without their heads
PLACE = archspec.Place(archspec.device("a10g"))


def compared(*lengths: int, limits: dict[str, float] | None = None, by: str | None = None) -> list[Choice]:
    questions = [archspec.Question(sizes={"B": 1, "S": length}) for length in lengths]
    return archspec.compare(SPECS, questions, limits=limits, place=PLACE, by=by)


def test_what_cannot_take_a_length_is_excluded_with_the_reason():
    short, long = compared(512, 4096)
    assert [one.excluded for one in short.candidates] == [()] * 3
    assert (short.best, long.best) == ("distilbert", "longformer")
    assert "beyond the 512 rows" in long.get("bert").excluded[0]
    assert "memory" not in long.get("bert").figures
    assert long.get("bert").figures["params"] == 109_482_240


def test_the_longest_input_is_that_of_the_tables():
    graphs = {name: archspec.lower(spec) for name, spec in SPECS.items()}
    found = {name: longest_input(graph, {"B": 1}) for name, graph in graphs.items()}
    assert found == {"bert": 512, "distilbert": 512, "longformer": 4096}
    assert longest_input(archspec.lower("llama"), {"B": 1}) is None


def test_limits_exclude_by_their_measure():
    (choice,) = compared(512, limits={"params": 100e6, "memory": 100 * 2**20})
    assert choice.best is None
    assert [len(one.excluded) for one in choice.candidates] == [2, 1, 2]
    title = choice.candidates and list(choice.tables())[1].title
    assert title == "Choice at B=1, S=512: no model meets the constraints"


def test_a_limit_inside_an_estimate_makes_doubtful():
    (free,) = compared(512)
    latency = free.get("bert").figures["latency"]
    assert isinstance(latency, Range)
    middle = (latency.best + latency.worst) / 2
    (choice,) = compared(512, limits={"latency": middle}, by="params")
    assert choice.get("bert").doubtful
    assert not choice.get("bert").excluded


def test_the_measure_decides():
    assert compared(512, by="throughput")[0].best == "distilbert"
    (choice,) = compared(512, limits={"params": 1e9}, by="cost")
    costs = {one.name: one.at_worst("cost") for one in choice.candidates}
    assert choice.best == min(costs, key=costs.__getitem__)


def test_what_costs_no_less_in_anything_is_dominated():
    (choice,) = compared(512)
    names = {one.name: dominated(one, choice.candidates) for one in choice.candidates}
    assert names == {"bert": "distilbert", "distilbert": None, "longformer": None}


def test_equals_do_not_dominate_each_other():
    one = Candidate("a", {"memory": 3}, None)
    other = Candidate("b", {"memory": 3}, None)
    assert dominated(one, [one, other]) is None


def test_a_size_that_no_model_has():
    with pytest.raises(ArchspecError, match="A002"):
        archspec.compare(SPECS, [archspec.Question(sizes={"B": 1, "T": 5})])
    with pytest.raises(ArchspecError, match="A001"):
        archspec.compare(SPECS, [archspec.Question(sizes={"B": 1})])
    with pytest.raises(ArchspecError, match="E004"):
        archspec.compare(SPECS, [archspec.Question(sizes={"B": 1, "S": 8})], limits={"latency": 1})


def test_the_command_says_it_in_every_format():
    words = ("compare", "bert:encoder", "longformer:encoder", "B=1", "S=512,4096", "--device", "a10g")
    text = cli(*words).stdout
    assert "Over all sizes: recommended for all: longformer:encoder" in text
    assert "not known: accuracy" in text
    assert "### Choice at B=1, S=512" in cli(*words, "--format", "markdown").stdout
    titles = [table["title"] for table in data(*words)]
    assert len(titles) == 5
    assert json.dumps(titles)
    assert cli(*words, "--format", "csv").stdout.count("beyond the 512 rows") >= 1
    cli("compare", "bert", "B=1", status=2)
