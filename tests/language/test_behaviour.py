"""What each feature computes: the emitted module against a few lines of plain torch over the same weights."""

import inspect
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from archspec import api
from archspec.errors import UnsupportedError
from archspec.ir.graph import Init, parameters
from tests.language.cases import ALL, Block, Case
from tests.language.conftest import Rigs
from tests.language.draw import SIZES, inputs
from tests.language.reference import compute
from tests.language.rig import Rig, pieces
from tests.language.style import faults

CASES = [(case, block) for case in ALL for block in case.of("python")]
KEEP_STATE = ("stream", "extends", "caches", "recurrences", "recur", "scores")
FIRST = [(case, case.of("python")[0]) for case in ALL if case.of("python")]


def params(found: list[tuple[Case, Block]]) -> pytest.MarkDecorator:
    """One test per block, called after its case."""
    ids = [" ".join([f"{case.path.stem}: {case.name}", *block.words]) for case, block in found]
    return pytest.mark.parametrize(("case", "block"), found, ids=ids)


@params([(case, block) for case, block in CASES if not block.loss])
def test_computes_what_it_says(rigs: Rigs, case: Case, block: Block):
    for rig in rigs(case, block):
        for sizes in SIZES:
            for optional in (True, False):
                given = rig.inputs(sizes, optional=optional)
                with torch.no_grad():
                    got = rig.run(given)
                expected = rig.expected(block.text, given)
                assert expected.excess(got) <= 1, (rig.name, sizes, optional, expected.excesses(got))


@params([(case, block) for case, block in FIRST if case.path.stem == "inputs"])
def test_one_input_may_be_left_out_alone(rigs: Rigs, case: Case, block: Block):
    for rig in rigs(case, block):
        given, least = rig.inputs(SIZES[0]), rig.inputs(SIZES[0], optional=False)
        for left_out in given.keys() - least.keys():
            others = {name: x for name, x in given.items() if name != left_out}
            expected = rig.expected(block.text, others)
            assert expected.excess(rig.run(others)) <= 1, (rig.name, left_out)


@params([(case, block) for case, block in CASES if block.loss])
def test_loss_is_what_it_says(rigs: Rigs, case: Case, block: Block):
    for rig in rigs(case, block):
        method = getattr(rig.module, block.loss or "")
        known = inspect.signature(method).parameters
        for sizes in SIZES:
            drawn = inputs(rig.graph, sizes, optional=True)
            got = method(**{name: x for name, x in drawn.items() if name in known})
            expected = compute(block.text, rig.module.state_dict(), drawn)
            assert math.isclose(got.item(), expected.item(), rel_tol=1e-5), rig.name


@params([(case, block) for case, block in FIRST if case.path.stem in KEEP_STATE])
def test_steps_equal_the_whole(rigs: Rigs, case: Case, block: Block):
    for rig in (rig for rig in rigs(case, block) if rig.graph.stream):
        for sizes in SIZES:
            for optional in (True, False):
                given = rig.inputs(sizes, optional=optional)
                expected = rig.expected(block.text, given)
                whole = replace(expected, values={name: expected.values[name] for name in rig.growing()})
                for lengths in pieces(sizes[rig.graph.stream or ""]):
                    with torch.no_grad():
                        got = rig.stepwise(given, lengths)
                    assert whole.excess(got) <= 1, (rig.name, sizes, lengths, whole.excesses(got))


@params(FIRST)
def test_starts_as_it_says(rigs: Rigs, case: Case, block: Block):
    rig = rigs(case, block)[0]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        states = [type(rig.module)().state_dict() for _ in range(30)]
    tied = dict(rig.graph.ties)
    drawn = {path: torch.stack([state[path] for state in states]) for path in states[0]}
    wrong = {
        path: param.init
        for path, param in parameters(rig.graph)
        if path not in tied and not starts(drawn[path].double(), param.init)
    }
    assert wrong == {}


def waves(length: int, width: int, theta: float, steps: float) -> torch.Tensor:
    """Row p: the sines of p / theta^(j / steps) for each j below width / 2, then their cosines."""
    rates = [theta ** (-j / steps) for j in range(width // 2)]
    rows = [[f(p * rate) for f in (math.sin, math.cos) for rate in rates] for p in range(length)]
    return torch.tensor(rows, dtype=torch.float64)


def starts(x: torch.Tensor, init: Init) -> bool:
    """Whether numbers [draws, ...] look drawn as `init` says; six standard errors are allowed."""
    a, b = init.a.real, 0.0 if init.b is None else init.b.real
    low, high, mean, spread = x.min().item(), x.max().item(), x.mean().item(), x.std().item()
    error = 6 / math.sqrt(x.numel())
    match init.kind:
        case "sinusoids":
            return bool(((x - waves(x.shape[1], x.shape[2], a, b)).abs() < 1e-6).all())
        case "constant":
            return math.isclose(low, a, abs_tol=1e-7) and math.isclose(high, a, abs_tol=1e-7)
        case "normal" | "trunc_normal":
            return abs(mean - a) <= error * b and abs(spread - b) <= error * b
        case "uniform":
            return a <= low and high <= b and abs(spread - (b - a) / math.sqrt(12)) <= error * (b - a)
        case _:
            bound = 1 / math.sqrt(a)
            return -bound <= low and high <= bound and abs(spread - bound / math.sqrt(3)) <= error * bound


@params(FIRST)
def test_trains(rigs: Rigs, case: Case, block: Block):
    """A training pass gives finite numbers, and every parameter moves the outputs."""
    for rig in rigs(case, block):
        rig.module.train().zero_grad()
        try:
            outputs = [x for x in rig.run(rig.inputs(SIZES[0])).values() if x.requires_grad]
        finally:
            rig.module.eval()
        if outputs:
            torch.cat([(x * torch.randn_like(x)).flatten() for x in outputs]).sum().backward()
        assert unmoved(rig.module) == [], rig.name


def unmoved(module: nn.Module) -> list[str]:
    """Parameters without a gradient. Keys' biases may have none: softmax does not see what all keys share."""
    grads = {name: p.grad for name, p in module.named_parameters() if not name.endswith("k.bias")}
    return [name for name, grad in grads.items() if grad is None or not 0 < grad.abs().max() < math.inf]


@params([(case, case.of("python")[0]) for case in ALL if case.path.stem == "softcap"])
def test_capped_scores_are_refused_where_they_cannot_be_computed(case: Case, block: Block, tmp_path: Path):
    with pytest.raises(UnsupportedError, match="U002"):
        api.source(case.load(tmp_path, block), attention="sdpa")


def test_sources_are_as_ruff_wants_them(rigs: Rigs, tmp_path: Path):
    made: list[Rig] = [rig for case, block in CASES for rig in rigs(case, block)]
    found = faults([rig.source for rig in made], tmp_path)
    assert not found, found
