"""`dropout`."""

from __future__ import annotations

from typing import ClassVar

from archspec.components.base import Component, Place
from archspec.components.slots import Positive
from archspec.ir.builder import Handle, Results
from archspec.ir.ops.elementwise import Dropout as DropoutOp


class Dropout(Component, frozen=True):
    """In training, zeroes elements with probability `p` (Srivastava et al. 2014)."""

    words: ClassVar = ("dropout",)
    p: Positive

    def lower(self, at: Place, *inputs: Handle) -> Results:
        return (at.builder.apply(DropoutOp(self.p), inputs[0], name=at.value_name),)
