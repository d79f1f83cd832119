"""torch's functions on shapes, one file per family. Importing this package registers all of them."""

from archspec.backends.torch.fake.functions import (
    attention,
    create,
    index,
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
    "attention",
    "create",
    "index",
    "loss",
    "norm",
    "pointwise",
    "product",
    "reduce",
    "spatial",
    "training",
    "views",
]
