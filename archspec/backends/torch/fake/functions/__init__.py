"""torch's functions on shapes, one file per family. Importing this package registers all of them."""

from archspec.backends.torch.fake.functions import (
    attention,
    convolution,
    copies,
    create,
    einsum,
    index,
    join,
    loss,
    norm,
    pointwise,
    product,
    reduce,
    spatial,
    training,
    views,
)

__all__ = [
    "attention", "convolution", "copies", "create", "einsum", "index", "join", "loss", "norm", "pointwise",
    "product", "reduce", "spatial", "training", "views",
]  # fmt: skip
