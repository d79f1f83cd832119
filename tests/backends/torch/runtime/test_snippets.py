"""Functions that emitted source copies: they stand alone, and are what their docstrings say."""

import ast
import inspect
from collections.abc import Callable
from pathlib import Path
from types import FunctionType, ModuleType
from typing import TypeAlias

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from archspec.backends.torch.runtime import activation, experts, norm, positions, rope, scatter

Turn: TypeAlias = Callable[[Tensor, Tensor, Tensor], Tensor]
Norm: TypeAlias = Callable[[Tensor, Tensor, float], Tensor]
MODULES = (activation, experts, norm, positions, rope, scatter)
FUNCTIONS = [
    function
    for module in MODULES
    for _, function in inspect.getmembers(module, inspect.isfunction)
    if function.__module__ == module.__name__
]


@pytest.mark.parametrize("module", MODULES, ids=lambda m: m.__name__.rpartition(".")[2])
def test_a_snippet_imports_only_torch(module: ModuleType):
    tree = ast.parse(Path(str(module.__file__)).read_text())
    lines = {ast.unparse(x) for x in ast.walk(tree) if isinstance(x, ast.Import | ast.ImportFrom)}
    assert lines <= {"import torch", "import torch.nn.functional as F", "from torch import Tensor"}


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
def test_a_snippet_reads_nothing_but_torch_and_its_neighbours(function: FunctionType):
    tree = ast.parse(inspect.getsource(function))
    names = {x.id for x in ast.walk(tree) if isinstance(x, ast.Name)}
    beside = {other.__name__ for other in FUNCTIONS if other.__module__ == function.__module__}
    assert names & set(function.__globals__) <= {"torch", "F", "Tensor"} | beside
    assert function.__doc__


def test_quick_gelu_is_close_to_gelu():
    x = torch.linspace(-4, 4, 100)
    assert (activation.quick_gelu(x) - F.gelu(x)).abs().max() < 0.03
    torch.testing.assert_close(activation.quick_gelu(x), x * torch.sigmoid(x * 1.702))


def test_the_rope_table_is_exact_at_far_positions():
    positions = torch.tensor([0, 1, 4095, 131_071])
    cos, sin = rope.rope_table(positions, rope.rope_frequencies(128, 500_000.0))
    exponent = torch.arange(0, 128, 2, dtype=torch.float64) / 128
    angles = positions[:, None].double() * 500_000.0**-exponent
    assert cos.dtype == sin.dtype == torch.float32
    torch.testing.assert_close(cos.double(), angles.cos(), rtol=0, atol=2e-2)
    torch.testing.assert_close(sin[:3].double(), angles[:3].sin(), rtol=0, atol=1e-3)


@pytest.mark.parametrize("apply", [rope.apply_rope_half, rope.apply_rope_interleaved])
def test_rope_keeps_lengths_and_sees_only_distances(apply: Turn):
    torch.manual_seed(0)
    q, k = torch.randn(2, 1, 3, 1, 16).double()
    near, far = (rope.rope_table(torch.tensor([p, p + 4]), rope.rope_frequencies(16, 100.0)) for p in (3, 40))

    def score(table: tuple[Tensor, Tensor]) -> Tensor:
        cos, sin = table
        return (apply(q, cos[:1], sin[:1]) * apply(k, cos[1:], sin[1:])).sum(-1)

    torch.testing.assert_close(score(near), score(far), rtol=1e-5, atol=1e-5)
    assert not torch.allclose(score(near), (q * k).sum(-1), atol=1e-2)
    turned = apply(q, near[0][:1], near[1][:1])
    torch.testing.assert_close(turned.norm(dim=-1), q.norm(dim=-1), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("apply", [rope.apply_rope_half, rope.apply_rope_interleaved])
def test_rope_leaves_the_features_behind_the_table(apply: Turn):
    x = torch.randn(2, 3, 5, 12)
    cos, sin = rope.rope_table(torch.arange(5), rope.rope_frequencies(8, 100.0))
    turned = apply(x, cos, sin)
    assert turned[..., 8:].equal(x[..., 8:])
    assert not torch.allclose(turned[..., :8], x[..., :8])


@pytest.mark.parametrize("function", [norm.rms_norm, norm.rms_norm_fp32])
def test_rms_norm_gives_rows_of_unit_mean_square(function: Norm):
    y = function(torch.randn(4, 64) * 7, torch.ones(64), 1e-6)
    torch.testing.assert_close(y.square().mean(-1), torch.ones(4), rtol=1e-4, atol=1e-4)


def test_snippets_compile_without_breaks():
    x = torch.randn(1, 2, 5, 8)

    def model(x: Tensor) -> Tensor:
        cos, sin = rope.rope_table(torch.arange(x.shape[2]), rope.rope_frequencies(8, 100.0))
        y = rope.apply_rope_half(x, cos, sin) + rope.apply_rope_interleaved(x, cos, sin)
        return norm.rms_norm_fp32(norm.rms_norm(y, torch.ones(8), 1e-6), torch.ones(8), 1e-6)

    compiled = torch.compile(model, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(x), model(x))
