"""The FLOPs of every emitted model, counted by torch while it runs, equal those read off its graph."""

import math
from functools import cache
from typing import Any

import pytest
import torch

from archspec import api
from archspec.analysis.flops import Flops
from archspec.analysis.tracing import Training
from archspec.ir.graph import Apply, Graph, walk
from archspec.ir.ops.contract import Einsum
from tests.analysis.counted import counted, sizes_of
from tests.parity.catalog import ALL, Case, Model
from tests.parity.draw import draw

MODELS = [pytest.param(model, id=model.name) for model in ALL if "eager" not in model.refuses]

# Written as a scan that an einsum reads, which the torch backend computes in chunks, as products of matrices.
CHUNKED = ("mamba2", "bamba", "falcon_h1", "xlstm")
# Experts with limited room, which some rows do not find: counted are the rows that were routed.
LIMITED = "switch"
EXACT = [p for p in MODELS if not str(p.id).startswith((*CHUNKED, LIMITED))]


@cache
def built(model: Model) -> Any:
    return api.compile(
        model.spec, preset=model.preset, overrides=model.params, graph=model.graph, attention="eager", seed=0
    )


def inputs(model: Model, name: str, case: Case) -> dict[str, torch.Tensor]:
    return draw(case, case.inputs, model.name, name)


@pytest.mark.parametrize("model", EXACT)
def test_forward_and_step(model: Model):
    module, output = built(model), next(iter(model.outputs))
    for name, case in model.cases.items():
        given = inputs(model, name, case)
        found = Flops.of(module.graph, sizes_of(module.graph, given), training=Training((output,)))
        assert found.forward.full == sum(counted(module, given).values()), name
    last = inputs(model, *list(model.cases.items())[-1])
    found = Flops.of(module.graph, sizes_of(module.graph, last), training=Training((output,)))
    assert found.step.full == sum(counted(module, last, output).values())


@pytest.mark.parametrize("model", [p for p in MODELS if str(p.id).startswith(LIMITED)])
def test_experts_with_limited_room(model: Model):
    """What is counted is at most too much, only of the experts, and said."""
    module = built(model)
    for name, case in model.cases.items():
        given = inputs(model, name, case)
        found = Flops.of(module.graph, sizes_of(module.graph, given))
        experts, total = found.by_class()["experts"].full, found.forward.full
        assert isinstance(experts, int)
        assert isinstance(total, int)
        assert 0 < total - sum(counted(module, given).values()) < experts
        assert any("limited room" in note for note in found.notes)


@pytest.mark.parametrize("model", [p for p in MODELS if str(p.id).startswith(CHUNKED)])
def test_scans_in_chunks(model: Model):
    """All but the chunks is equal; these are five products for each head (Dao and Gu 2024, section 6).

    Eager attention, where some layers have it, multiplies batches of matrices, too.
    """
    module = built(model)
    for name, case in model.cases.items():
        given = inputs(model, name, case)
        found = Flops.of(module.graph, sizes_of(module.graph, given)).by_class()
        full = {kind: cost.full for kind, cost in found.items() if isinstance(cost.full, int)}
        torchs = counted(module, given)
        products = torchs.pop("aten.bmm") - full.get("attention", 0)
        assert full["linear"] + full.get("conv", 0) == sum(torchs.values())
        assert products == in_one_chunk(module.graph, *given["input_ids"].shape)


def in_one_chunk(graph: Graph, batch: int, length: int) -> int:
    """FLOPs of the chunk that a sequence of up to 64 tokens makes, in all layers.

    The einsum reads states [B, S, *heads, .., ..] by vectors [B, S, *groups, n].
    """
    total = 0
    for _, region, count in walk(graph.root):
        for node in region.nodes:
            if isinstance(node, Apply) and isinstance(node.op, Einsum) and node.inputs[0] and node.inputs[1]:
                states = [int(size) for size in node.inputs[0].type.shape[2:]]
                *groups, n = (int(size) for size in node.inputs[1].type.shape[2:])
                p, heads = math.prod(states[-2:]) // n, math.prod(states[:-2])
                alike = 2 * length * length * n * math.prod(groups)
                total += count * batch * (alike + heads * (2 * p * length * n * 2 + 2 * length * length * p))
    return total
