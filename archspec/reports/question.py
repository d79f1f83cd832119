"""What is asked: sizes, and how a model is run and trained."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from msgspec import Struct, field

from archspec.analysis.tracing import Checkpoint
from archspec.errors import ArchspecError, Diagnostic, did_you_mean

if TYPE_CHECKING:
    from archspec.backends.torch.fake.trace import Mode


class Precision(Struct, frozen=True):
    """A dtype policy of training: the module's dtype, autocast's, and the row of the optimizer's table."""

    dtype: str
    autocast: str | None
    state: str
    says: str


PRECISIONS = {
    "fp32": Precision("float32", None, "fp32", "everything in fp32"),
    "autocast": Precision("float32", "bfloat16", "fp32", "fp32 weights, products in bf16 by torch.autocast"),
    "autocast-fp16": Precision(
        "float32", "float16", "fp32", "fp32 weights, products in fp16 by torch.autocast"
    ),
    "mixed-fp16": Precision("float16", None, "mixed", "fp16 weights and gradients, fp32 copies and moments"),
    "mixed": Precision(
        "bfloat16", None, "mixed", "bf16 weights and gradients, fp32 master copies and moments"
    ),
    "megatron": Precision(
        "bfloat16", None, "megatron", "bf16 weights, fp32 gradients, master copies, moments"
    ),
    "bf16": Precision("bfloat16", None, "bf16", "weights, gradients and moments in bf16"),
}


RUN = ("float32", "bfloat16", "float16", "float64")


class Question(Struct, frozen=True):
    """`sizes`: run-time sizes by name; what is missing stays a symbol. `past`: tokens in the cache of a
    decoding step. `dtype`: of the model in inference. `checkpoint`: `none`, `selective`, `full` or one layer
    in so many. `hardware`: whose rules for what is kept apply, `cuda` or `cpu`. `picked`: a number that only
    data gives, such as the tokens of a row that look everywhere. `lora`: the rank of adapters of the matrices
    named by `targets`, which alone are trained then.
    """

    sizes: Mapping[str, int] = field(default_factory=dict[str, int])
    past: int | None = None
    attention: str = "sdpa"
    dtype: str = "bfloat16"
    precision: str = "mixed"
    optimizer: str = "adam"
    checkpoint: Checkpoint = "none"
    dropout: bool = True
    hardware: str = "cuda"
    picked: int = 1
    lora: int | None = None
    targets: tuple[str, ...] = ()

    @property
    def policy(self) -> Precision:
        """Raises ArchspecError D005 for a policy that there is not."""
        if self.precision not in PRECISIONS:
            hint = did_you_mean(self.precision, PRECISIONS) or f"there is: {', '.join(PRECISIONS)}"
            raise ArchspecError(Diagnostic("D005", f"no precision is called '{self.precision}'", None, hint))
        return PRECISIONS[self.precision]

    @property
    def inference(self) -> Mode:
        """A forward pass without gradients. Raises ArchspecError A005 for a dtype that no module runs in."""
        from archspec.backends.torch.fake.trace import Mode  # lazy: what needs no run starts without it

        if self.dtype not in RUN:
            hint = f"state is counted in it too, but a run has one of: {', '.join(RUN)}"
            raise ArchspecError(Diagnostic("A005", f"no module runs in '{self.dtype}'", None, hint))
        return Mode(device=self.hardware, dtype=self.dtype, picked=self.picked)

    def training(self, loss: str | None) -> Mode:
        """The forward pass of a step of training."""
        from archspec.backends.torch.fake.trace import Mode  # lazy: the same

        policy = self.policy
        every = {"none": 0, "selective": 0, "full": 1}.get(str(self.checkpoint), self.checkpoint)
        return Mode(
            device=self.hardware, dtype=policy.dtype, autocast=policy.autocast, gradients=True,
            dropout=self.dropout, loss=loss, checkpoint=int(every), picked=self.picked,
        )  # fmt: skip
