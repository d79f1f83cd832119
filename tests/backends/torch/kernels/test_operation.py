"""The kernels are one operation of torch: compiled, exported, recomputed and cast like any other."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from archspec.backends.torch.kernels.module import kernel_file
from tests.backends.torch.kernels.harness import kernels, loaded, poisoned, results
from tests.backends.torch.kernels.operands import Operands, operands
from tests.backends.torch.kernels.structures import STRUCTURES, Structure

SMALL = {"H": 2, "G": 1, "Q": 19, "K": 19, "E": 16, "W": 24}
CALLED = {
    "window": STRUCTURES["window"].shaped(**SMALL),
    "padding, given": STRUCTURES["padding, given"].shaped(**SMALL),
    "padding, not given": STRUCTURES["padding, not given"].shaped(**SMALL),
    "ALiBi": STRUCTURES["ALiBi"].shaped(**SMALL),
    "sunk": STRUCTURES["sunk"].shaped(**SMALL),
}


def module_of(given: Structure) -> Any:
    return loaded(kernel_file(given.description()), 16, 16)


class Attending(nn.Module):
    """A layer that does nothing but attend."""

    def __init__(self, given: Structure) -> None:
        super().__init__()
        self.attention, self.tables = module_of(given).attention, len(given.tables)
        self.numbers = tuple(given.numbers.values())

    def forward(self, q: Tensor, k: Tensor, v: Tensor, *others: Tensor | None) -> Tensor:
        tables, sinks = others[: self.tables], others[self.tables :]
        return self.attention(q, k, v, *tables, *self.numbers, *sinks) * 2.0


def arguments(x: Operands) -> tuple[Tensor | None, ...]:
    return (x.q, x.k, x.v, *x.tables.values(), *([x.sinks] if x.sinks is not None else []))


@pytest.mark.parametrize("name", ["padding, given", "ALiBi", "sunk"])
def test_torch_finds_the_operation_well_made(name: str) -> None:
    """Its schema, its fake and its gradient agree with what it does, with and without dynamic shapes."""
    given = CALLED[name]
    x, module = operands(given), module_of(given)
    leaves = [leaf.requires_grad_() for leaf in x.floats.values()]
    assert leaves
    scale = given.shape.E**-0.5
    own = (*x.tables.values(), *given.numbers.values(), *([x.sinks] if given.sunk else []))
    with poisoned():
        found = torch.library.opcheck(module.attention_forward, (x.q, x.k, x.v, *own, 0, scale))
    assert set(found.values()) == {"SUCCESS"}


@pytest.mark.parametrize("name", ["window", "padding, not given", "ALiBi"])
def test_compiled(name: str) -> None:
    torch.compiler.reset()
    given = CALLED[name]
    layer = Attending(given)
    whole: Any = torch.compile(layer, fullgraph=True, backend="aot_eager")
    x = operands(given)
    expected = results(lambda x: layer(*arguments(x)), x)
    found = results(lambda x: whole(*arguments(x)), x)
    for word, right in expected.items():
        torch.testing.assert_close(found[word], right, rtol=0, atol=1e-6)


def test_a_longer_sequence_is_not_compiled_again() -> None:
    torch.compiler.reset()
    graphs: list[Any] = []

    def counted(graph: Any, _: Any) -> Any:
        graphs.append(graph)
        return graph.forward

    whole: Any = torch.compile(Attending(CALLED["window"]), fullgraph=True, dynamic=True, backend=counted)
    for length in (19, 33, 50):
        given = CALLED["window"].shaped(Q=length, K=length)
        x = operands(given)
        torch.testing.assert_close(whole(*arguments(x)), Attending(given)(*arguments(x)))
    assert len(graphs) == 1
    called = [str(node.target) for node in graphs[0].graph.nodes if "attention" in str(node.target)]
    assert len(called) == 1


@pytest.mark.parametrize("name", ["window", "padding, given", "sunk"])
def test_exported(name: str) -> None:
    given = CALLED[name]
    x, layer = operands(given), Attending(given)
    length = torch.export.Dim("length", min=2, max=512)
    free: Any = ({2: length}, {2: length}, {2: length}) if len(arguments(x)) == 3 else None
    program = torch.export.export(layer, arguments(x), dynamic_shapes=free)
    called = [n for n in program.graph.nodes if n.op == "call_function" and "attention" in str(n.target)]
    assert len(called) == 1
    torch.testing.assert_close(program.module()(*arguments(x)), layer(*arguments(x)))


def test_recomputed() -> None:
    given = CALLED["ALiBi"]
    layer = Attending(given)
    plain = results(lambda x: layer(*arguments(x)), operands(given))

    def twice(x: Operands) -> Tensor:
        out: Any = checkpoint(layer, *arguments(x), use_reentrant=False)
        return out

    again = results(twice, operands(given))
    assert all(torch.equal(plain[word], again[word]) for word in plain)


def test_autocast() -> None:
    """What is computed is computed in bfloat16; gradients are those of what was given."""
    given = CALLED["window"]
    layer = Attending(given)
    narrow = operands(given, torch.bfloat16)
    wide = Operands(narrow.q.float(), narrow.k.float(), narrow.v.float())

    def narrowed(x: Operands) -> Tensor:
        out: Tensor = layer(*arguments(x))
        return out

    def cast(x: Operands) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return narrowed(x)

    found, expected = results(cast, wide), results(narrowed, narrow)
    assert found["out"].dtype == torch.bfloat16
    assert found["q"].dtype == torch.float32
    assert all(torch.equal(found[word], expected[word].to(found[word].dtype)) for word in found)


def test_only_what_learns_gets_a_gradient() -> None:
    """Frozen keys and tables; a result without any gradient at all."""
    given = CALLED["ALiBi"]
    x = operands(given)
    layer = Attending(given)
    assert not layer(*arguments(x)).requires_grad
    x.q.requires_grad_()
    (found,) = torch.autograd.grad(layer(*arguments(x)).sum(), [x.q])
    both = results(lambda x: layer(*arguments(x)), operands(given), torch.ones_like)
    assert torch.equal(found, both["q"])


def test_nothing_is_written_into_operands() -> None:
    given = CALLED["ALiBi"]
    x, before = operands(given), operands(given)
    results(kernels(given), x)
    assert all(torch.equal(x.floats[word], before.floats[word]) for word in before.floats)


@pytest.mark.parametrize(
    ("code", "sizes", "dtype"),
    [
        ("K002", {"H": 2}, torch.float64),
        ("K003", {"H": 3, "G": 2}, torch.float32),
        ("K004", {"E": 272}, torch.float32),
    ],
)
def test_refused(code: str, sizes: dict[str, int], dtype: torch.dtype) -> None:
    given = STRUCTURES["causal"].shaped(**sizes)
    with pytest.raises(ValueError, match=code):
        kernels(given)(operands(given, dtype))
