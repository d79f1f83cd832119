"""Emitted modules beside the reference implementations, whose numbers were measured once.

Source of `saved.csv` and TRAINING: saved-tensor hooks and FlopCounterMode around
transformers and diffusers models with random weights (bert-base, GPT-2 and a llama of 4 layers; fp32, bf16,
`bf16ac` under autocast). Rows of device `cuda` emulate it on a CPU: one byte of mask for dropout, softmax of
bf16 in fp32, but statistics of layer norm in the input's dtype. An emitted module is another program than its
reference; where it saves other tensors, `Row.explained` says how many bytes they have and why.
"""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from archspec.backends.torch.fake.trace import Inputs, Mode
from tests.backends.torch.fake.truth import DTYPES, inputs_of, subject, table


@dataclass(frozen=True)
class Sizes:
    """Batch, length, layers, heads, width, width of the MLP, norms, vocabulary."""

    b: int
    s: int
    layers: int
    heads: int
    h: int
    ff: int
    norms: int
    v: int


SIZES = {
    "llama-tiny": Sizes(2, 128, 4, 8, 256, 688, 0, 1000),  # its norms are written out, without statistics
    "bert-base": Sizes(2, 128, 12, 12, 768, 3072, 25, 30522),
    "gpt2": Sizes(2, 256, 12, 12, 768, 3072, 25, 50257),
}


@dataclass(frozen=True)
class Row:
    """One measurement of saved bytes."""

    device: str
    model: str
    attention: str
    dtype: str
    dropout: bool
    loss: bool
    checkpoint: bool
    activations: int
    copies: int

    @property
    def mode(self) -> Mode:
        return Mode(
            self.device, DTYPES[self.dtype], "bfloat16" if self.dtype == "bf16ac" else None, gradients=True,
            dropout=self.dropout, loss="loss" if self.loss else None, checkpoint=int(self.checkpoint),
        )  # fmt: skip

    @property
    def sizes(self) -> Sizes:
        return SIZES[self.model]

    @property
    def item(self) -> int:
        """Bytes of an activation."""
        return 4 if self.dtype == "fp32" else 2

    def explained(self) -> int:
        """Bytes that ours saves beyond the reference's."""
        own: Callable[[Row], int] = {"bert-base": bert, "gpt2": gpt2, "llama-tiny": llama}[self.model]
        return own(self) + self.softmax() + self.statistics() + self.shifted()

    def softmax(self) -> int:
        """Ours computes softmax in fp32 where the model is half precision, and keeps that beside the weights.

        The weights that dropout leaves are new in both, so that there the difference is fp32 for bf16. Under
        autocast a reference that adds a float mask, and emulated CUDA always, computes it in fp32 too.
        """
        same = self.dtype == "bf16ac" and (self.device == "cuda" or self.model == "gpt2")
        if self.attention != "eager" or self.item == 4 or same or self.model == "llama-tiny":
            return 0
        n = self.sizes
        return n.layers * n.b * n.heads * n.s**2 * (2 if self.dropout else 4)

    def statistics(self) -> int:
        """On a GPU mean and deviation of a layer norm are fp32, whatever its input."""
        if self.device == "cpu" or self.dtype != "bf16" or self.checkpoint:
            return 0
        return self.sizes.norms * self.sizes.b * self.sizes.s * 2 * 2

    def shifted(self) -> int:
        """Ours leaves the last position out of the loss, the reference gives it a label that is ignored."""
        return -self.sizes.b * (4 * self.sizes.v + 8) if self.loss else 0


def bert(row: Row) -> int:
    """Token types that nobody gave: ours makes them [B, S], the reference has a buffer."""
    return row.sizes.b * row.sizes.s * 8


def gpt2(row: Row) -> int:
    """The reference writes gelu out, with three more tensors of the MLP's width a layer. It adds a float mask
    [B, 1, S, S], which checkpoints alone save, where ours selects with a bool one [S, S].
    """
    n, eager = row.sizes, row.attention == "eager"
    mask = n.s**2 if eager else 0
    if row.checkpoint:
        return mask - 4 * n.b * n.s**2 * eager
    return mask - 3 * n.layers * n.b * n.s * n.ff * row.item


def llama(row: Row) -> int:
    """A bool mask like gpt2's. Our tables of rope stay fp32, where the reference's are bf16; checkpoints save
    ours, because the reference gives them by name. Our rope gives sdpa contiguous queries, and its output is
    laid out like them: it is copied once more before the projection.
    """
    n, eager = row.sizes, row.attention == "eager"
    mask, tables = n.s**2 if eager else 0, 2 * n.s * (n.h // n.heads)
    if row.checkpoint:
        return mask + 4 * tables
    copied = 0 if eager else n.layers * n.b * n.s * n.h * row.item
    return mask + copied + (2 * tables if row.dtype == "bf16" else 0)


def rows() -> list[Row]:
    return [
        Row(
            r["device"], r["model"], r["attention"], r["dtype"], r["dropout"] == "1", r["loss"] == "1",
            r["checkpoint"] == "1", int(r["activations"]), int(r["weight_copies"]),
        )
        for r in table("saved.csv")
    ]  # fmt: skip


FLAGS = ("dropout", "loss", "checkpoint")


def named(row: Row) -> str:
    flags = [name for name in FLAGS if getattr(row, name)]
    return "-".join([row.device, row.model, row.dtype, row.attention, *flags])


@pytest.mark.parametrize("row", rows(), ids=named)
def test_saved_bytes(row: Row):
    inputs: Inputs = {"input_ids": ((row.sizes.b, row.sizes.s), "int64")}
    trace = subject(row.model, row.attention).trace(inputs, row.mode)
    assert trace.activations - row.explained() == row.activations
    assert trace.weight_copies == row.copies


def test_both_devices_have_all_their_rows():
    assert [sum(row.device == device for row in rows()) for device in ("cpu", "cuda")] == [30, 40]


# Model, checkpoints: FLOPs forward, and forward with backward.
TRAINING = [
    ("bert-base", False, 22348431360, 67042934784),
    ("bert-base", True, 22348431360, 89390186496),
    ("gpt2", False, 291648307200, 874944921600),
    ("gpt2", True, 291648307200, 1029563744256),
    ("llama-tiny", False, 1682964480, 5048893440),
    ("llama-tiny", True, 1682964480, 6240075776),
    ("llama2-7b", False, 29261612187648, 87784836562944),
    ("llama2-7b", True, 29261612187648, 110599702839296),
    ("sd15-unet", False, 803273441280, 2406773063680),
]
TOKENS = {"bert-base": (1, 128), "gpt2": (1, 1024), "llama-tiny": (2, 128), "llama2-7b": (1, 2048)}


@pytest.mark.parametrize(("model", "checkpoint", "forward", "total"), TRAINING)
def test_training_flops(model: str, checkpoint: bool, forward: int, total: int):
    """The reference's loss did not reach bert's pooler, one product [B, H] @ [H, H]: twice that, backward."""
    pooler = 2 * 2 * 768**2 if model == "bert-base" else 0
    inputs = inputs_of(model, *TOKENS.get(model, (1, 77)))
    mode = Mode(gradients=True, checkpoint=int(checkpoint))
    trace = subject(model, "eager").trace(inputs, mode)
    assert (trace.flops, trace.flops + trace.backward_flops - pooler) == (forward, total)
