"""A spec of the library in a few numbers."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import replace

from archspec.ir.graph import parameter_count
from archspec.lowering.lower import lower
from archspec.spec.node import Scalar
from archspec.spec.spec import Spec, facts_of


class Entry(Struct, frozen=True):
    """A spec and its presets. `parameters` is by preset, None for the document's own params."""

    name: str
    summary: str
    path: str
    parameters: Mapping[str | None, int]

    @classmethod
    def of(cls, spec: Spec) -> Entry:
        """The counts as the document states them, which `check` proves; one that it does not state is made.

        Raises what lowering raises under a preset without a stated count.
        """
        counts = {preset: _count(replace(spec, preset=preset)) for preset in (None, *spec.presets)}
        return cls(spec.name, spec.text("summary"), str(spec.path), counts)

    def record(self) -> dict[str, object]:
        """The entry as plain data."""
        counts = [{"preset": preset, "parameters": count} for preset, count in self.parameters.items()]
        return {"name": self.name, "summary": self.summary, "path": self.path, "presets": counts}

    def __str__(self) -> str:
        width = max(len(preset or "") for preset in self.parameters)
        rows = (f"    {preset or '':{width}}  {count:>17,}" for preset, count in self.parameters.items())
        return "\n".join([f"{self.name}: {self.summary}", *rows])


def _count(spec: Spec) -> int:
    facts = facts_of(spec)
    stated = facts.get("params") if facts else None
    if isinstance(stated, Scalar) and isinstance(stated.value, int):
        return stated.value
    return parameter_count(lower(spec))
