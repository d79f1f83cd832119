"""Walking a graph: regions, parameters and their count."""

from dataclasses import replace

from archspec.ir.graph import parameter_count, parameters, walk
from archspec.ir.text import read
from tests.ir.sample import SAMPLE, edited


def test_regions_with_how_often_they_own_parameters():
    assert [(path, region.component, times) for path, region, times in walk(read(SAMPLE).root)] == [
        ("", "model", 1),
        ("up", "linear", 1),
        ("down", "linear", 1),
        ("h.*", "block", 3),
        ("h.*", "last", 1),
    ]


def test_parameters_layer_by_layer():
    assert [path for path, _ in parameters(read(SAMPLE))] == [
        "scale",
        "shift",
        "up.weight",
        "down.weight",
        "h.0.w",
        "h.1.w",
        "h.2.w",
    ]


def test_a_shared_repeat_owns_its_parameters_once():
    graph = read(edited(("= repeat h(", "= repeat shared h("), ("schedule 0*3 1", "schedule 0*4")))
    assert [path for path, _ in parameters(graph) if path.startswith("h")] == ["h.0.w"]


def test_each_learned_number_counts_once():
    graph = read(SAMPLE)
    scale, up, down, norms = 8, 32 * 8, 8 * 32, 3 * 8
    assert parameter_count(replace(graph, ties=())) == scale + up + down + norms
    assert parameter_count(graph) == scale + up + down + norms - 8


def test_the_regions_of_nodes():
    nodes = read(SAMPLE).root.nodes
    assert [[region.name for region in node.regions] for node in nodes] == [
        [],
        [],
        ["up"],
        ["down"],
        ["up"],
        [],
        ["layer", "layer"],
    ]
