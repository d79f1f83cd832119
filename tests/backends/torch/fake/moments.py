"""What is alive at the moments at which a forward pass can peak: in a reference implementation, and in ours.

A peak is the largest of a few moments, each a sum of named tensors in closed form. Both programs compute the
same numbers; what one of them holds longer, or makes besides, has a reason in `WHY`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

Tensors = Mapping[str, int]
"""Bytes of what is alive, by what it is."""


@dataclass(frozen=True)
class Sizes:
    """Batch, length, width, that of the MLP, heads of queries and of keys, vocabulary, bytes an element."""

    b: int
    s: int
    h: int
    ff: int
    heads: int
    kv: int
    v: int
    item: int

    @property
    def x(self) -> int:
        """Bytes of a hidden state [B, S, H]."""
        return self.b * self.s * self.h * self.item

    @property
    def wide(self) -> int:
        """Bytes of [B, S, F] inside an MLP."""
        return self.b * self.s * self.ff * self.item

    @property
    def logits(self) -> int:
        return self.b * self.s * self.v * self.item

    @property
    def pairs(self) -> int:
        """Elements of the scores, [B, heads, S, S]."""
        return self.b * self.heads * self.s**2

    @property
    def scores(self) -> int:
        return self.pairs * self.item


@dataclass(frozen=True)
class Peak:
    """The moments of both."""

    reference: Mapping[str, Tensors]
    ours: Mapping[str, Tensors]

    def difference(self) -> dict[str, int]:
        """What ours has alive at its peak beyond the reference at its own, by tensor; negative: less."""
        ours, theirs = highest(self.ours), highest(self.reference)
        found = {name: ours.get(name, 0) - theirs.get(name, 0) for name in {**ours, **theirs}}
        return {name: size for name, size in found.items() if size}


def highest(moments: Mapping[str, Tensors]) -> Tensors:
    """What is alive at the moment with most."""
    return max(moments.values(), key=lambda alive: sum(alive.values()))


ELSEWHERE = "one of the two peaks at another moment, where this is alive"
WHY = {
    "token types": "nobody gave any: ours makes them [B, S], the reference has a buffer",
    "embeddings": "the reference's model keeps them in a variable while its layers run",
    "place embeddings": "like embeddings",
    "places": "ours keeps them to the end, the reference to the end of its inner model",
    "frequencies": "ours computes those of rope in the forward pass, the reference has a buffer",
    "rope": "ours: [B, S, E / 2] in fp32, as both halves have the same angles; theirs: [1, S, E], cast",
    "mask": "ours: bool [S, S], and none under sdpa; theirs: [B, 1, S, S] to add, or bool where it is traced",
    "weights": "the reference's layer keeps those of attention in a variable while its MLP runs",
    "attended": "the reference's block keeps what attention gave in a variable while its MLP runs",
    "gelu, written out": "the reference writes gelu as separate operations, which need two more tensors",
    "scaled scores": "the reference multiplies the scores by the scale, ours the queries",
    "scores": "ours names them, so that they live until the method returns; theirs are renamed",
    "scores in fp32": "softmax is computed in fp32 by definition of our op",
    "weights in fp32": "like scores in fp32",
    "context": "ours peaks a little later, since it still has the scores where weights meet values",
    "context, by position": "like context",
    "keys": "ours repeats keys of a group in the variable, the reference keeps both",
    "values": "like keys",
    "keys, repeated": "like keys",
    "values, repeated": "like keys",
    "queries, keys, values": ELSEWHERE,
    "queries": ELSEWHERE,
    "attention's norm": ELSEWHERE,
    "after attention": ELSEWHERE,
    "MLP's norm": ELSEWHERE,
    "up": ELSEWHERE,
    "gate": ELSEWHERE,
    "gelu": ELSEWHERE,
    "product": ELSEWHERE,
    "last norm": ELSEWHERE,
    "logits": ELSEWHERE,
    "input": ELSEWHERE,
    "down": ELSEWHERE,
    "sum": ELSEWHERE,
    "next": ELSEWHERE,
    "statistics": ELSEWHERE,
    "scaled queries": ELSEWHERE,
    "queries and keys, by head": ELSEWHERE,
    "sinusoids": "the reference keeps those of the time step in a variable",
    "layer's input": "ours is called with it, and a call holds its arguments; the reference renames it",
    "scores' room": "the reference gives baddbmm an empty tensor as large as its result",
    "quantized latents": "the reference's caller of the decoder keeps them in a variable",
}
