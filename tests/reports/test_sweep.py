"""Sweeps agree with lowering each point, say what they did, and are quick."""

import re
import time
from itertools import product
from typing import Any
from xml.etree import ElementTree

import pytest

import archspec
from archspec.analysis.flops import Flops
from archspec.errors import ArchspecError
from archspec.ir.graph import parameter_count
from archspec.reports.interpolation import InexactError, Line, degree, expand
from archspec.reports.sweep import Swept
from tests.cli.runner import cli, data

SIZES = {"B": (2,), "S": (16, 300)}


def by_lowering(spec: str, point: dict[str, object], of: tuple[str, ...]) -> list[Any]:
    """Parameters and FLOPs at a point, or None where it is refused."""
    loaded = archspec.load(spec, overrides=point)
    try:
        graph = archspec.lower(loaded)
    except ArchspecError:
        return [None] * len(SIZES["S"])
    counts = {"params": parameter_count(graph)}
    rows: list[Any] = []
    for length in SIZES["S"]:
        forward = Flops.of(graph, {"B": 2, "S": length}).forward
        found = counts | {"flops": forward.full, "exact_flops": forward.exact}
        rows.append(tuple(found[name] for name in of))
    return rows


def disagreements(spec: str, params: dict[str, tuple[object, ...]], swept: Swept) -> list[object]:
    points = [dict(zip(params, each, strict=True)) for each in product(*params.values())]
    rows = iter(None if isinstance(row, str) else row for row in swept.rows)
    pairs = [(point, by_lowering(spec, point, swept.of), [next(rows), next(rows)]) for point in points]
    return [(point, here, there) for point, here, there in pairs if here != there]


SWEPT: list[tuple[str, dict[str, tuple[object, ...]], bool]] = [
    # free params beside heads that must divide a width
    ("gpt2", {"num_layers": (1, 2, 3, 5, 6, 8), "hidden_size": (96, 99, 132), "num_heads": (4, 6, 9)}, True),
    # beside one head no width is refused, beside others many are
    ("bert", {"num_heads": (1, 2, 6, 7), "hidden_size": (96, 99, 105, 126, 132, 140, 151)}, False),
    # the same, where the first width is divided by all numbers of heads that are tried
    ("bert", {"num_heads": (1, 3, 5), "hidden_size": (60, 70, 80, 90), "num_layers": (1, 2, 4, 5, 6)}, True),
    # a window shorter or longer than the sequence: exact FLOPs are no polynomial in it
    ("mistral", {"window": (8, 30, 100, 200, 400, 800, 900), "num_layers": (1, 2, 3, 5, 8, 9, 11)}, True),
    # more experts per token than there are
    ("mixtral", {"top_k": (1, 2, 3, 5, 6), "num_experts": (2, 4, 5, 8, 11), "num_layers": (1, 3, 6)}, True),
]  # fmt: skip


@pytest.mark.parametrize(("spec", "params", "formed"), SWEPT, ids=[spec for spec, *_ in SWEPT])
def test_every_point_is_what_lowering_it_gives(
    spec: str, params: dict[str, tuple[object, ...]], formed: bool
):
    swept = archspec.scale(spec, params, SIZES, of=("params", "flops", "exact_flops"))
    assert disagreements(spec, params, swept) == []
    assert (swept.exact < swept.combinations) or not formed


def test_it_says_how_it_computed():
    params = {"num_layers": range(1, 21), "vocab_size": range(1000, 6000, 500)}
    swept = archspec.scale("gpt2", params, of=("params",))
    assert swept.free == ("num_layers", "vocab_size")
    assert (swept.combinations, len(swept.rows), swept.proven) == (200, 200, True)
    assert 0 < swept.exact <= swept.lowered < 60
    rows = {row.label: row.values[0] for row in archspec.scale_tables(swept)[1].rows}
    assert rows["of them lowered"] == swept.exact
    assert rows["of them from the closed form"] == 200 - swept.exact


def test_a_thousand_configurations_a_second():
    params = {
        "num_layers": range(2, 42, 2),
        "intermediate_size": range(4096, 8192, 256),
        "vocab_size": range(32000, 132000, 10000),
    }
    begin = time.perf_counter()
    swept = archspec.scale("llama", params, {"B": (1,), "S": (2048,)}, of=("params", "flops"))
    spent = time.perf_counter() - begin
    assert len(swept.rows) == 3200
    assert len(swept.rows) / spent > 1000


def test_refused_points_and_sizes_have_their_reasons():
    products = 2 * 8 * (12 * 12 * 768**2 + 768 * 50257) + 12 * 4 * 8 * 8 * 768
    swept = archspec.scale("gpt2", {"num_heads": (12, 7)}, {"B": (1,), "S": (8, 2000)}, of=("flops",))
    assert [row if isinstance(row, tuple) else row[:4] for row in swept.rows] == [
        (products,), "A003", "T008", "T008",
    ]  # fmt: skip


def test_many_sizes_are_computed_in_symbols_and_agree():
    lengths = tuple(range(3, 60))
    for total in ("flops", "exact_flops", "training_flops"):
        many = archspec.scale("mistral", {"window": (16,)}, {"B": (2,), "S": lengths}, of=(total,))
        few = archspec.scale("mistral", {"window": (16,)}, {"B": (2,), "S": lengths[13:15]}, of=(total,))
        assert many.rows[13:15] == few.rows


@pytest.mark.parametrize(
    ("params", "sizes", "of", "code"),
    [
        ({"num_layer": (1,)}, {}, ("params",), "S021"),
        ({}, {"T": (1,)}, ("flops",), "A002"),
        ({}, {}, ("flops",), "A001"),
        ({}, {}, ("flop",), "A006"),
    ],
)
def test_bad_input(params: Any, sizes: Any, of: tuple[str, ...], code: str):
    with pytest.raises(ArchspecError) as error:
        archspec.scale("gpt2", params, sizes, of=of)
    assert error.value.diagnostics[0].code == code


def test_polynomials_are_exact():
    places, cube = (2, 3, 7, 11, 20), [x**3 - 4 * x + 1 for x in (2, 3, 7, 11, 20)]
    assert degree(places, cube) == 3
    assert degree(places, [5] * 5) == 0
    assert degree(places, [max(6, x) for x in places]) is None
    assert degree(places[:2], [1, 2]) is None
    half = Line.through((1, 3), (2,))
    with pytest.raises(InexactError):
        half.at(0, (0, 1))
    grid = [a * a * b for a in (1, 2, 3) for b in (1, 5)]
    lines = [Line.through((1, 2, 3), (4, 9)), Line.through((1, 5), (2, 3, 7))]
    assert expand(grid, lines) == [a * a * b for a in (4, 9) for b in (2, 3, 7)]


def test_curves_are_drawn():
    swept = archspec.scale(
        "gpt2", {"num_layers": (1, 2, 4), "hidden_size": (96, 192)}, SIZES, of=("params", "flops")
    )
    root = ElementTree.fromstring(archspec.curves(swept, svg=True))
    lines = root.findall(".//{http://www.w3.org/2000/svg}polyline")
    assert len(lines) == 2 + 4
    for line in lines:
        heights = [float(pair.split(",")[1]) for pair in line.attrib["points"].split()]
        assert heights == sorted(heights, reverse=True)
    text = archspec.curves(swept)
    assert len(re.findall(r"hidden_size=\d+ +[▁▂▃▄▅▆▇█]{3} ", text)) == 2
    assert archspec.curves(archspec.scale("gpt2", {})) == ""


def test_the_command(tmp_path: Any):
    words = ("scale", "gpt2", "--set", "num_layers=2..6..2", "--set", "hidden_size=96,100", "--of", "params")
    text = cli(*words, "--svg", tmp_path / "a.svg").stdout
    assert "T008 num_heads = 12 heads do not divide" in text
    assert (tmp_path / "a.svg").read_text().startswith("<svg")
    points, how = data(*words)
    assert [(row["num_layers"], row["hidden_size"]) for row in points["rows"]] == [
        (2, 96), (2, 100), (4, 96), (4, 100), (6, 96), (6, 100),
    ]  # fmt: skip
    assert how["title"] == "How they were computed"
    cli("scale", "gpt2", "--set", "num_layers", status=2)
