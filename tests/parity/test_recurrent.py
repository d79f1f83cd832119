"""The specs of recurrent networks equal torch's own layers, of which no library has checkpoints."""

import copy
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from archspec import api
from archspec.analysis.flops import Flops
from archspec.analysis.tracing import Training
from archspec.dims import poly
from tests.parity.compare import Expected
from tests.parity.draw import randomise

LAYERS = {"lstm": nn.LSTM, "gru": nn.GRU}
SIZES = {"vocab_size": 31, "hidden_size": 12, "num_layers": 3}
MUTANTS = {
    "forgets by the write gate": ("lstm", "sigmoid(f) * c + sigmoid(i)", "sigmoid(i) * c + sigmoid(f)"),
    "reads without a gate": ("lstm", "sigmoid(o) * tanh(c)", "tanh(c)"),
    "resets before the product": (
        "gru",
        "tanh(n + sigmoid(r + r_h) * n_h)",
        "tanh(n + sigmoid(r + r_h) + n_h)",
    ),
    "keeps what it should replace": ("gru", "(1 - update) * tanh", "update * tanh"),
}
each = pytest.mark.parametrize("name", LAYERS)


class Reference(nn.Module):
    """Embedding, torch's stacked layers, and a head, as Zaremba et al. 2014 have them."""

    def __init__(self, name: str) -> None:
        super().__init__()
        width = SIZES["hidden_size"]
        self.embed = nn.Embedding(SIZES["vocab_size"], width)
        self.layers = LAYERS[name](width, width, SIZES["num_layers"], batch_first=True)
        self.lm_head = nn.Linear(width, SIZES["vocab_size"])

    def forward(self, ids: Tensor) -> Tensor:
        return self.lm_head(self.layers(self.embed(ids))[0])


@dataclass(frozen=True, eq=False)
class Pair:
    """Torch's network, and ours with its weights."""

    reference: Reference
    ours: Any

    def expected(self, ids: Tensor) -> Expected:
        with torch.no_grad():
            single, double = self.reference(ids), copy.deepcopy(self.reference).double()(ids)
        return Expected.measured({"logits": single}, {"logits": double})


def ours(name: str) -> str:
    """Torch's name of a tensor as we have it: `layers.weight_hh_l1` is `layers.1.cell.again.weight`."""
    path, _, last = name.rpartition(".")
    if path != "layers":
        return name
    word, side, layer = last.split("_")
    return f"layers.{layer[1:]}.{'gates' if side == 'ih' else 'cell.again'}.{word}"


@cache
def pair(name: str) -> Pair:
    reference = Reference(name).eval()
    randomise(reference, 3)
    return Pair(reference, with_weights(name, reference))


def with_weights(spec: str | Path, reference: nn.Module) -> nn.Module:
    module = api.compile(spec, overrides=dict(SIZES))
    module.load_state_dict({ours(name): tensor for name, tensor in reference.state_dict().items()})
    return module


def tokens(rows: int, length: int) -> Tensor:
    return torch.randint(
        0, SIZES["vocab_size"], (rows, length), generator=torch.Generator().manual_seed(length)
    )


@each
def test_the_numbers_are_equal(name: str):
    for ids in (tokens(3, 9), tokens(1, 14)):
        expected = pair(name).expected(ids)
        with torch.no_grad():
            got = {"logits": pair(name).ours(ids)}
        assert expected.excess(got) <= 1, expected.excesses(got)
        assert expected.values["logits"].std() > 0.1


@each
@pytest.mark.parametrize("lengths", [[1] * 11, [4, 1, 2, 4]], ids=["one by one", "uneven"])
def test_steps_equal_the_whole(name: str, lengths: list[int]):
    ids = tokens(2, sum(lengths))
    module = pair(name).ours
    cache, ends = module.make_cache(0), accumulate(lengths)
    with torch.no_grad():
        parts = [module(ids[:, e - n : e], cache=cache) for e, n in zip(ends, lengths, strict=True)]
    expected = pair(name).expected(ids)
    got = {"logits": torch.cat(parts, 1)}
    assert expected.excess(got) <= 1, expected.excesses(got)


@each
def test_gradients_are_equal(name: str):
    theirs, mine = (copy.deepcopy(module).double() for module in (pair(name).reference, pair(name).ours))
    ids = tokens(2, 8)
    for module in (theirs, mine):
        logits = cast("Tensor", module(ids))
        nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), ids[:, 1:].flatten()).backward()
    grads = {path: param.grad for path, param in mine.named_parameters()}
    assert len(grads) == len(list(theirs.parameters()))
    for path, param in theirs.named_parameters():
        torch.testing.assert_close(grads[ours(path)], param.grad, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("mutant", MUTANTS)
def test_another_recurrence_is_told_apart(mutant: str, tmp_path: Path):
    name, old, new = MUTANTS[mutant]
    text = api.show(name, "resolved")
    assert old in text
    (tmp_path / "mutant.yaml").write_text(text.replace(old, new), encoding="utf-8")
    module, ids = with_weights(tmp_path / "mutant.yaml", pair(name).reference), tokens(3, 9)
    with torch.no_grad():
        assert pair(name).expected(ids).excess({"logits": module(ids)}) > 100


@each
@pytest.mark.parametrize("length", [1, 2, 3, 9])
def test_products_are_as_many_as_torch_counts(name: str, length: int):
    """The first position starts from zeros, whose gradient nobody asks for."""
    module = copy.deepcopy(pair(name).ours)
    found = Flops.of(module.graph, {"B": 2, "S": length}, training=Training())
    with FlopCounterMode(display=False) as counter:
        total = module(tokens(2, length)).sum()
        assert found.forward.full == counter.get_total_flops()
        total.backward()
    assert found.step.full == counter.get_total_flops()


@each
def test_symbols_say_the_same(name: str):
    graph = pair(name).ours.graph
    at = Flops.of(graph, {"B": 2, "S": 9}, training=Training()).step.full
    assert poly.evaluate(Flops.of(graph, {}, training=Training()).step.full, {"B": 2, "S": 9}) == at
