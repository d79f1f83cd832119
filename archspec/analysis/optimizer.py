"""What training keeps of every parameter, in bytes: weight, gradient, master copy, moments.

Two tables. `PRECISIONS` says in how many bytes weights, gradients, master copies and moments are kept;
`OPTIMIZERS` says which moments there are, and how they are laid out. One more optimizer or policy is one more
row.

16 bytes a parameter for Adam in mixed precision: Rajbhandari et al. 2020, ZeRO, arXiv:1910.02054, section
3.1. 18 bytes with gradients in fp32: Megatron-LM, as counted in Korthikanti et al. 2022, arXiv:2205.05198,
figure 1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from math import prod
from typing import TypeVar

from msgspec import Struct

from archspec.analysis.ranges import positive
from archspec.errors import ArchspecError, Diagnostic, did_you_mean

Row = TypeVar("Row")


class Parameter(Struct, frozen=True):
    """A parameter tensor, tied ones listed once, or so many `copies` of it, as the layers of a stack have.

    `embedding`: an embedding table or an output head. `itemsize`: bytes of an element, where it is not the
    policy's. `looked_up`: a table of which a step reads only the rows of its tokens.
    """

    name: str
    shape: tuple[int, ...]
    trainable: bool = True
    embedding: bool = False
    itemsize: int | None = None
    copies: int = 1
    looked_up: bool = False

    @property
    def count(self) -> int:
        """Elements of all copies."""
        return prod(self.shape) * self.copies


class Precision(Struct, frozen=True):
    """Bytes of an element: of weights, gradients, master copies (0 where there are none) and moments."""

    weights: int
    gradients: int
    master: int
    moments: int


PRECISIONS = {
    "fp32": Precision(4, 4, 0, 4),
    "mixed": Precision(2, 2, 4, 4),  # ZeRO's accounting: fp16 or bf16 with an fp32 master copy
    "megatron": Precision(2, 4, 4, 4),  # gradients are accumulated in fp32
    "bf16": Precision(2, 2, 0, 2),  # everything in bf16, as torch does with a bf16 module
}


class Moments(Struct, frozen=True):
    """What an optimizer keeps beside weights: how the first and the second moment of a tensor are laid out.

    `none`; `full`: as the tensor; `factored`: a row and a column of every matrix (a vector stays full);
    `blocks`: one byte an element and an fp32 scale a block, but full where the tensor is small. `counters`:
    bytes of step counts.
    """

    first: str = "none"
    second: str = "none"
    counters: int = 0


class Optimizer(Struct, frozen=True):
    """`matrices` holds for tensors of two and more axes that are no embeddings, `others` for the rest."""

    matrices: Moments
    others: Moments
    source: str

    def of(self, parameter: Parameter) -> Moments:
        matrix = len(parameter.shape) > 1 and not parameter.embedding
        return self.matrices if matrix else self.others


def _same(first: str, second: str, counters: int, source: str) -> Optimizer:
    moments = Moments(first, second, counters)
    return Optimizer(moments, moments, source)


_ADAM = Moments("full", "full", 4)
OPTIMIZERS = {
    "sgd": _same("none", "none", 0, "torch.optim.SGD"),
    "sgd-momentum": _same("full", "none", 0, "torch.optim.SGD with momentum"),
    "adam": Optimizer(_ADAM, _ADAM, "Kingma and Ba 2015, arXiv:1412.6980; step counts as torch.optim.Adam"),
    "adam-8bit": _same("blocks", "blocks", 0, "Dettmers et al. 2022, arXiv:2110.02861; blocks of 2,048"),
    "adafactor": _same(
        "none", "factored", 4, "Shazeer and Stern 2018, arXiv:1804.04235; torch.optim.Adafactor"
    ),
    "muon": Optimizer(
        Moments("full"), _ADAM, "Jordan et al. 2024, kellerjordan.github.io/posts/muon; Adam for the rest"
    ),
}

# Dettmers et al. 2022, section 2.1; bitsandbytes keeps the state of smaller tensors in 32 bits.
BLOCK, SMALL, SCALE = 2048, 4096, 4


class TrainingState(Struct, frozen=True):
    """Bytes by kind. `counters` are step counts; scales of quantised moments are counted with the moments."""

    weights: int = 0
    gradients: int = 0
    master: int = 0
    first_moment: int = 0
    second_moment: int = 0
    counters: int = 0

    @property
    def optimizer(self) -> int:
        """Master copies, moments and counters: what ZeRO stage 1 shards."""
        return self.master + self.first_moment + self.second_moment + self.counters

    @property
    def total(self) -> int:
        return self.weights + self.gradients + self.optimizer

    def plus(self, other: TrainingState) -> TrainingState:
        pairs = zip(_fields(self), _fields(other), strict=True)
        return TrainingState(*(mine + more for mine, more in pairs))


def training_state(
    parameters: Iterable[Parameter], optimizer: str, precision: str = "mixed"
) -> TrainingState:
    """Bytes that training keeps of these parameters. A frozen one has its weight alone.

    Raises ArchspecError D005 for an optimizer or a policy that is not in the tables, D004 for a shape that is
    none.
    """
    rows, policy = _row("optimizer", optimizer, OPTIMIZERS), _row("precision", precision, PRECISIONS)
    state = TrainingState()
    for parameter in parameters:
        state = state.plus(_state(parameter, rows.of(parameter), policy))
    return state


def bytes_per_parameter(optimizer: str, precision: str = "mixed") -> float:
    """Bytes a parameter that the tables come to for a large matrix, its counter left out: 16 for Adam, mixed.

    Raises ArchspecError D005.
    """
    side = 1 << 20
    state = training_state([Parameter("matrix", (side, side))], optimizer, precision)
    return (state.total - state.counters) / side**2


def zero_shard(state: TrainingState, stage: int, ranks: int) -> float:
    """Bytes of one of so many data-parallel ranks under ZeRO (arXiv:1910.02054, section 5 and figure 1).

    Stage 1 shards the optimizer, 2 gradients too, 3 weights too; 0 nothing. Raises ArchspecError D004.
    """
    positive("ranks", ranks)
    if stage not in range(4):
        raise ArchspecError(Diagnostic("D004", f"ZeRO has no stage {stage}", hint="stages are 0 to 3"))
    parts = (state.optimizer, state.gradients, state.weights)
    return sum(part / (ranks if stage > index else 1) for index, part in enumerate(parts))


def _state(parameter: Parameter, moments: Moments, policy: Precision) -> TrainingState:
    for size in (*parameter.shape, parameter.copies):
        positive(f"a size of '{parameter.name}'", size)
    count, copies = parameter.count, parameter.copies
    weights = count * (parameter.itemsize or policy.weights)
    if not parameter.trainable:
        return TrainingState(weights)
    return TrainingState(
        weights,
        count * policy.gradients,
        count * policy.master,
        copies * LAYOUTS[moments.first](parameter.shape, policy.moments),
        copies * LAYOUTS[moments.second](parameter.shape, policy.moments),
        copies * moments.counters,
    )


def _full(shape: tuple[int, ...], itemsize: int) -> int:
    return prod(shape) * itemsize


def _factored(shape: tuple[int, ...], itemsize: int) -> int:
    if len(shape) < 2:
        return prod(shape) * itemsize
    return (prod(shape) // shape[-1] + prod(shape) // shape[-2]) * itemsize


def _blocks(shape: tuple[int, ...], itemsize: int) -> int:
    count = prod(shape)
    return count * 4 if count < SMALL else count + -(-count // BLOCK) * SCALE


def _none(shape: tuple[int, ...], itemsize: int) -> int:
    return 0


LAYOUTS: dict[str, Callable[[tuple[int, ...], int], int]] = {
    "none": _none,
    "full": _full,
    "factored": _factored,
    "blocks": _blocks,
}


def _fields(state: TrainingState) -> tuple[int, ...]:
    return (
        state.weights, state.gradients, state.master,
        state.first_moment, state.second_moment, state.counters,
    )  # fmt: skip


def _row(what: str, name: str, table: Mapping[str, Row]) -> Row:
    if name not in table:
        hint = "; ".join(filter(None, [did_you_mean(name, table), f"there is: {', '.join(table)}"]))
        raise ArchspecError(Diagnostic("D005", f"no {what} is called '{name}'", hint=hint))
    return table[name]
