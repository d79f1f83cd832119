"""What runs at each position of an axis: its FLOPs are those that torch counts."""

from pathlib import Path

import pytest

from archspec import api
from archspec.analysis.flops import Flops
from archspec.analysis.sharding import LayoutError, Shardable
from archspec.analysis.tracing import Training
from archspec.dims import poly
from tests.analysis.counted import counted
from tests.language.cases import ALL, Case
from tests.language.rig import Rig

# No product; rows that only data gives; a parameter that is handed on, which torch's counter cannot follow.
UNLIKE = ("along another axis", "experts", "what is the same")
RECUR = [case for case in ALL if case.path.stem == "recur" and not case.name.startswith(UNLIKE)]
CASES = [pytest.param(case, id=case.name) for case in RECUR]
SIZES = [{"B": 2, "S": 1, "T": 3}, {"B": 2, "S": 2, "T": 3}, {"B": 1, "S": 7, "T": 4}]
GATED = """
archspec: 1
name: gated
inputs: {x: "[B, S, 4]"}
model:
  - first: {op: param, shape: [2, 4], init: normal(1.0)}
  - begin: "expand(first[:1], [B, 4])"
  - y, left, kept:
      in: x
      recur: {h: begin, c: "full([B, 4], 0.0)"}
      body: [{fc: {op: linear, in: "_ + c", out: 4}}, {c: "h * fc"}, {h: tanh}]
outputs: {OUTPUTS}
"""


def rig(case: Case, folder: Path) -> Rig:
    return Rig.set_up(case.load(folder, case.of("python")[0]), "sdpa")


@pytest.mark.parametrize("case", CASES)
def test_products_are_as_many_as_torch_counts(case: Case, tmp_path: Path):
    """The first and the last position may have fewer gradients than those between them."""
    made = rig(case, tmp_path)
    for sizes in SIZES:
        given = made.inputs(sizes)
        known = {name: size for name, size in sizes.items() if name in made.graph.dims}
        found = Flops.of(made.graph, known, training=Training(("y",)))
        assert found.forward.full == sum(counted(made.module, given).values())
        assert found.step.full == sum(counted(made.module, given, "y").values())


@pytest.mark.parametrize("outputs", ["y: y", "left: left", "y: y, left: left"])
def test_what_nobody_reads_has_no_gradient(outputs: str, tmp_path: Path):
    (tmp_path / "gated.yaml").write_text(GATED.replace("OUTPUTS", outputs).lstrip(), encoding="utf-8")
    module = api.compile(tmp_path / "gated.yaml", seed=0)
    graph = api.lower(tmp_path / "gated.yaml")
    for name, _ in graph.outputs:
        for sizes in ({"B": 2, "S": 1}, {"B": 2, "S": 2}, {"B": 3, "S": 6}):
            found = Flops.of(graph, sizes, training=Training((name,))).step.full
            given = Rig("gated", graph, "", module).inputs(sizes)
            assert found == sum(counted(module, given, name).values()), (name, sizes)
        symbols = Flops.of(graph, {}, training=Training((name,))).step.full
        assert (
            poly.evaluate(symbols, {"B": 3, "S": 6})
            == Flops.of(graph, {"B": 3, "S": 6}, training=Training((name,))).step.full
        )


def test_a_step_of_decoding_is_one_position():
    graph = api.lower(api.load("lstm", preset="small"))
    one = 2 * (2 * 2 * 4 * 200 * 200 + 200 * 10000)
    assert Flops.of(graph, {"B": 1, "S": 1}, past=9).forward.full == one
    assert Flops.of(graph, {"B": 1, "S": 5}).forward.full == 5 * one


def test_plans_refuse_it():
    with pytest.raises(LayoutError, match="G020") as caught:
        Shardable(api.lower("lstm"))
    (found,) = caught.value.diagnostics
    assert found.message == "'cell' runs at one position after another, for which no plan is made"
    assert found.span is not None
