"""The words of the language: each file one word or a close family, its fields and its lowering."""

from archspec.components import (
    arrange,
    attention,
    conv,
    dropout,
    elementwise,
    embedding,
    fields,
    linear,
    loss,
    mlp,
    norm,
    position,
    rope,
)
from archspec.components.base import COMPONENTS, Component, Place

__all__ = [
    "COMPONENTS",
    "Component",
    "Place",
    "arrange",
    "attention",
    "conv",
    "dropout",
    "elementwise",
    "embedding",
    "fields",
    "linear",
    "loss",
    "mlp",
    "norm",
    "position",
    "rope",
]
