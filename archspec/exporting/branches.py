"""A model of two branches, as two sessions: the first step's, and that of all later ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from archspec.backends.onnx.merged import SWITCH
from archspec.backends.onnx.runtime import Session

Array: TypeAlias = np.ndarray[Any, Any]
LENGTH = 2
"""The axis of keys and values [B, H, S, E] that is empty where there are none."""


@dataclass(frozen=True, slots=True)
class Branch:
    """One way to run a session. `unread`: inputs that this branch does not read, keys and values."""

    session: Session
    cached: bool
    unread: frozenset[str] = frozenset()

    @property
    def inputs(self) -> tuple[str, ...]:
        return tuple(name for name in self.session.inputs if name not in {SWITCH, *self.unread})

    @property
    def outputs(self) -> tuple[str, ...]:
        return self.session.outputs

    @property
    def providers(self) -> tuple[str, ...]:
        return self.session.providers

    @property
    def metadata(self) -> Mapping[str, str]:
        """What the model says of itself: nothing of state where the branch reads none."""
        return self.session.metadata if self.cached else {}

    def cast(self, name: str, array: Array) -> Array:
        """An array in the dtype of an input."""
        return self.session.cast(name, array)

    def start(self, name: str, axis: int | None, fill: float | None, batch: int) -> Array:
        """As `Session.start`."""
        return self.session.start(name, axis, fill, batch)

    def run(self, given: Mapping[str, Array]) -> dict[str, Array]:
        """The outputs by name. Raises UnsupportedError O005 where ONNX Runtime fails."""
        batch = next(iter(given.values())).shape[0]
        empty = {name: self.session.start(name, LENGTH, None, batch) for name in self.unread}
        return self.session.run({**given, **empty, SWITCH: np.array([self.cached])})
