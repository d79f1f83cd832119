"""How a model is run on shapes, and what that shows."""

from __future__ import annotations

from msgspec import Struct

from archspec.backends.torch.fake.run import Kernel


class Adapters(Struct, frozen=True):
    """Low-rank adapters of the matrices of these whole names, where `*` is any layer; the rest is frozen."""

    rank: int
    matrices: tuple[str, ...]


class Mode(Struct, frozen=True):
    """How a model is run.

    `device`: `cpu` or `cuda`. `dtype`: of the model. `autocast`: of its products, if they are cast.
    `gradients`: keep what the backward pass needs. `dropout`: drop, as in training. `loss`: run this loss.
    `checkpoint`: of so many layers one keeps its inputs alone and is computed again (1: all of them, 0:
    none). `picked`: numbers that only data gives, such as the tokens of a row that look everywhere.
    `adapters`: what alone is trained, if there are any; they have the dtype of the model.
    """

    device: str = "cpu"
    dtype: str = "float32"
    autocast: str | None = None
    gradients: bool = False
    dropout: bool = False
    loss: str | None = None
    checkpoint: int = 0
    picked: int = 1
    adapters: Adapters | None = None


class Saved(Struct, frozen=True, gc=False):
    """A storage that is kept for the backward pass: by whom, why, and a shape and dtype it is read under."""

    nbytes: int
    role: str
    place: str
    operation: str
    reason: str
    shape: tuple[int, ...]
    dtype: str


class Trace(Struct, frozen=True):
    """What one run allocates and computes, in bytes and FLOPs (2 per multiply-add of products).

    `peak`: most bytes alive at once that are no parameters, buffers or inputs, and `peak_at` the operation
    that reached it. `end`: bytes alive at the end. `saved`: what the backward pass needs, each storage once.
    `backward_flops` include what checkpoints compute again. `assumed`: whether a number that only data gives
    was taken as the mode says, or an even spread over experts.
    """

    parameters: int
    buffers: int
    inputs: int
    outputs: int
    peak: int
    peak_at: str
    end: int
    saved: tuple[Saved, ...]
    kernels: tuple[Kernel, ...]
    backward_flops: int
    assumed: bool

    @property
    def activations(self) -> int:
        """Bytes saved that are no parameters, buffers, inputs, or autocast's copies of parameters."""
        return sum(s.nbytes for s in self.saved if s.role == "activation")

    @property
    def weight_copies(self) -> int:
        """Bytes saved that are parameters in autocast's dtype."""
        return sum(s.nbytes for s in self.saved if s.role == "copy")

    @property
    def flops(self) -> int:
        """FLOPs of the products of the run itself."""
        return sum(kernel.flops for kernel in self.kernels)


class Training(Struct, frozen=True):
    """One step of training without its optimizer: forward and backward, in bytes and FLOPs.

    `peak`: most bytes alive at once that are no parameters, buffers, inputs or gradients of parameters;
    `gradients`: bytes of those, which a step leaves. `forward`: the forward pass by itself.
    """

    peak: int
    peak_at: str
    gradients: int
    kernels: tuple[Kernel, ...]
    forward: Trace

    @property
    def flops(self) -> int:
        """FLOPs of products, forward and backward, with what checkpoints compute again."""
        return sum(kernel.flops for kernel in self.kernels)


class Decoding(Struct, frozen=True):
    """One step of decoding, in bytes and FLOPs, with a cache that a run before has filled.

    `peak`: most bytes alive at once in the step that are no parameters, buffers, inputs or part of the cache
    as it was before; `cache`: its bytes after the step, with all the room it has.
    """

    peak: int
    peak_at: str
    cache: int
    kernels: tuple[Kernel, ...]

    @property
    def flops(self) -> int:
        """FLOPs of products."""
        return sum(kernel.flops for kernel in self.kernels)
