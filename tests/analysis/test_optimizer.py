"""Bytes of training: torch's own optimizers to the byte, and the published totals."""

from typing import Any

import pytest
import torch
from msgspec.structs import replace

from archspec.analysis.lora import adapted, trainable_fraction
from archspec.analysis.optimizer import (
    OPTIMIZERS,
    PRECISIONS,
    Parameter,
    TrainingState,
    bytes_per_parameter,
    training_state,
    zero_shard,
)
from archspec.errors import ArchspecError

SHAPES = ((96, 64), (96,), (8, 3, 5, 7), (1, 12), (64, 64), (1,))
PARAMETERS = [Parameter(f"p{index}", shape) for index, shape in enumerate(SHAPES)]

TORCH: dict[str, tuple[type[torch.optim.Optimizer], dict[str, Any]]] = {
    "sgd": (torch.optim.SGD, {"lr": 0.1}),
    "sgd-momentum": (torch.optim.SGD, {"lr": 0.1, "momentum": 0.9}),
    "adam": (torch.optim.Adam, {}),
    "adafactor": (torch.optim.Adafactor, {}),
}


def bytes_of(tensors: list[torch.Tensor]) -> int:
    return sum(tensor.untyped_storage().nbytes() for tensor in tensors)


def stepped(name: str, shapes: tuple[tuple[int, ...], ...], dtype: torch.dtype) -> torch.optim.Optimizer:
    """torch's optimizer after one step: only then does it have its state."""
    kind, settings = TORCH[name]
    weights = [torch.nn.Parameter(torch.rand(shape, dtype=dtype)) for shape in shapes]
    for weight in weights:
        weight.grad = torch.rand_like(weight)
    optimizer = kind(weights, **settings)
    optimizer.step()
    return optimizer


@pytest.mark.parametrize("name", TORCH)
@pytest.mark.parametrize(("precision", "dtype"), [("fp32", torch.float32), ("bf16", torch.bfloat16)])
def test_torch_keeps_these_bytes(name: str, precision: str, dtype: torch.dtype):
    optimizer = stepped(name, SHAPES, dtype)
    kept = [value for state in optimizer.state.values() for value in state.values() if value is not None]
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    found = training_state(PARAMETERS, name, precision)
    assert found.optimizer == bytes_of(kept)
    assert found.weights == bytes_of(weights)
    assert found.gradients == bytes_of([weight.grad for weight in weights])


def test_torch_keeps_the_momentum_of_matrices_under_muon():
    matrices = [Parameter(str(shape), shape) for shape in SHAPES if len(shape) == 2]
    weights = [torch.nn.Parameter(torch.rand(each.shape)) for each in matrices]
    for weight in weights:
        weight.grad = torch.rand_like(weight)
    optimizer = torch.optim.Muon(weights)
    optimizer.step()
    kept = [state["momentum_buffer"] for state in optimizer.state.values()]
    found = training_state(matrices, "muon", "fp32")
    assert (found.optimizer, found.second_moment) == (bytes_of(kept), 0)


def test_muon_leaves_embeddings_and_vectors_to_adam():
    matrix, table, gain = (
        Parameter("w", (64, 64)),
        Parameter("wte", (64, 64), embedding=True),
        Parameter("g", (64,)),
    )
    assert training_state([matrix], "muon").second_moment == 0
    assert training_state([table, gain], "muon") == training_state([table, gain], "adam")


PUBLISHED = [
    ("sgd", "fp32", 8),
    ("sgd-momentum", "fp32", 12),
    ("adam", "fp32", 16),
    ("adam", "mixed", 16),  # arXiv:1910.02054, section 3.1
    ("adam", "megatron", 18),  # arXiv:2205.05198, figure 1
    ("muon", "fp32", 12),
]


@pytest.mark.parametrize(("optimizer", "precision", "published"), PUBLISHED)
def test_published_bytes_a_parameter(optimizer: str, precision: str, published: float):
    assert bytes_per_parameter(optimizer, precision) == published


def test_8_bit_moments_with_their_scales():
    """Dettmers et al. 2022: one byte a state and one fp32 scale for every 2,048 of them."""
    big, odd, small = Parameter("a", (4096, 512)), Parameter("b", (4097,)), Parameter("c", (4095,))
    assert training_state([big], "adam-8bit", "fp32").first_moment == 4096 * 512 + 4096 * 512 // 2048 * 4
    assert training_state([odd], "adam-8bit", "fp32").second_moment == 4097 + 3 * 4
    assert training_state([small], "adam-8bit", "fp32").first_moment == 4095 * 4
    assert bytes_per_parameter("adam-8bit", "fp32") == pytest.approx(8 + 2 + 2 * 4 / 2048)


def test_adafactor_keeps_a_row_and_a_column():
    found = training_state([Parameter("w", (1000, 10))], "adafactor", "fp32")
    assert (found.first_moment, found.second_moment, found.counters) == (0, 4 * 1010, 4)


ZERO = [(0, 120.0), (1, 31.4), (2, 16.6), (3, 1.9)]


@pytest.mark.parametrize(("stage", "published"), ZERO)
def test_zero_on_64_ranks(stage: int, published: float):
    """arXiv:1910.02054, figure 1: GB a device of a model with 7.5B parameters, mixed-precision Adam."""
    count = 7_500_000_000
    state = TrainingState(2 * count, 2 * count, 4 * count, 4 * count, 4 * count)
    assert zero_shard(state, stage, 64) / 1e9 == pytest.approx(published, abs=0.05)


# Layers, hidden size, tensor and pipeline ranks, GiB of parameters and optimizer a device.
KORTHIKANTI = [(48, 6144, 8, 45.5625), (105, 20480, 280, 31.640625), (128, 25600, 512, 32.958984375)]


@pytest.mark.parametrize(("layers", "hidden", "ranks", "published"), KORTHIKANTI)
def test_parameters_and_optimizer_of_megatron(layers: int, hidden: int, ranks: int, published: float):
    """arXiv:2205.05198, figure 1: 18 bytes for each of 12 h² matrix elements of a layer."""
    shapes = ((3 * hidden, hidden), (hidden, hidden), (4 * hidden, hidden), (hidden, 4 * hidden))
    layer = training_state([Parameter("w", shape) for shape in shapes], "adam", "megatron")
    assert (layer.total - layer.counters) * layers / ranks / 2**30 == published


def test_adapters_are_what_is_trained():
    shapes = {"l.q_proj.weight": (64, 32), "l.o_proj.weight": (32, 64), "g": (32,)}
    found = adapted([Parameter(name, shape) for name, shape in shapes.items()], 4, ["q_proj"])
    assert [(each.name, each.shape) for each in found if each.trainable] == [
        ("l.q_proj.lora_a", (4, 32)),
        ("l.q_proj.lora_b", (64, 4)),
    ]
    trained, frozen = 4 * (32 + 64), 2 * 64 * 32 + 32
    assert trainable_fraction(found) == trained / (trained + frozen)
    state = training_state(found, "adam", "fp32")
    assert state.weights == 2 * frozen + 4 * trained
    assert (state.gradients, state.first_moment, state.master) == (4 * trained, 4 * trained, 0)


def test_adapters_of_a_quantised_base():
    (base, *_) = adapted([Parameter("q", (64, 32))], 1, ["q"], itemsize=1)
    assert training_state([base], "adam").total == 64 * 32


REFUSED = [
    (lambda: training_state(PARAMETERS, "adm"), "D005", "did you mean 'adam'?"),
    (lambda: training_state(PARAMETERS, "adam", "fp8"), "D005", "there is: fp32, mixed, megatron, bf16"),
    (lambda: training_state([Parameter("w", (0, 4))], "adam"), "D004", "a size of 'w'"),
    (lambda: training_state([Parameter("w", (4, 4), copies=0)], "adam"), "D004", "a size of 'w'"),
    (lambda: adapted([Parameter("q_proj", (4, 4))], 0, ["q_proj"]), "D004", "rank"),
    (lambda: adapted([Parameter("q_proj", (4, 4))], 2, ["k_proj"]), "D006", "did you mean 'q_proj'?"),
    (lambda: adapted([Parameter("gain", (4,))], 2, ["gain"]), "D006", "no matrix is called 'gain'"),
    (lambda: zero_shard(TrainingState(), 4, 2), "D004", "stages are 0 to 3"),
    (lambda: zero_shard(TrainingState(), 1, 0), "D004", "ranks"),
    (lambda: trainable_fraction([]), "D004", "number of parameters"),
]


@pytest.mark.parametrize(("ask", "code", "words"), REFUSED)
def test_what_is_refused(ask: Any, code: str, words: str):
    with pytest.raises(ArchspecError) as error:
        ask()
    assert [found.code for found in error.value.diagnostics] == [code]
    assert words in str(error.value)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("precision", PRECISIONS)
def test_parts_sum_to_the_whole(optimizer: str, precision: str):
    whole = training_state(PARAMETERS, optimizer, precision)
    each = [training_state([parameter], optimizer, precision).total for parameter in PARAMETERS]
    assert whole.total == sum(each) == whole.weights + whole.gradients + whole.optimizer
    assert zero_shard(whole, 3, 4) == whole.total / 4


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_copies_are_so_many_tensors(optimizer: str):
    """Not one tensor of so many elements: blocks, rows, columns and counters are each copy's own."""
    for parameter in PARAMETERS:
        once, thrice = training_state([parameter], optimizer), [replace(parameter, copies=3)]
        assert training_state(thrice, optimizer) == once.plus(once).plus(once)
    adapters = adapted([Parameter("q", (64, 32), copies=3)], 4, ["q"])[1:]
    assert sum(adapter.count for adapter in adapters) == 3 * 4 * (64 + 32)
