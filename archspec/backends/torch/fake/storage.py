"""Bytes that are alive while something refers to them."""

from __future__ import annotations

from archspec.backends.torch.fake.run import Run


class Storage:
    """`run` counts the bytes while they are alive, if they are of a run.

    `role`: `activation`, or what lives outside of the run: `parameter`, `buffer`, `input`; `copy` is a
    parameter in autocast's dtype; `gradient` is a parameter's.
    """

    __slots__ = ("__weakref__", "nbytes", "role", "run")

    def __init__(self, nbytes: int, role: str = "activation", run: Run | None = None, by: str = "") -> None:
        self.nbytes, self.role, self.run = nbytes, role, run
        if run is not None:
            run.took(nbytes, by)
            if run.alive is not None:
                run.watch(id(self), nbytes, by)

    def __del__(self) -> None:
        if self.run is not None:
            self.run.live -= self.nbytes
            if self.run.alive is not None:
                self.run.alive.pop(id(self), None)
