"""A spec of the library in a few numbers."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import replace

from archspec.ir.graph import parameter_count
from archspec.lowering.lower import lower
from archspec.spec.spec import Spec


class Entry(Struct, frozen=True):
    """A spec and its presets. `parameters` is by preset, None for the document's own params."""

    name: str
    summary: str
    path: str
    parameters: Mapping[str | None, int]

    @classmethod
    def of(cls, spec: Spec) -> Entry:
        """Raises what lowering raises, under any preset."""
        presets = (None, *spec.presets)
        counts = {preset: parameter_count(lower(replace(spec, preset=preset))) for preset in presets}
        return cls(spec.name, spec.text("summary"), str(spec.path), counts)

    def record(self) -> dict[str, object]:
        """The entry as plain data."""
        counts = [{"preset": preset, "parameters": count} for preset, count in self.parameters.items()]
        return {"name": self.name, "summary": self.summary, "path": self.path, "presets": counts}

    def __str__(self) -> str:
        width = max(len(preset or "") for preset in self.parameters)
        rows = (f"    {preset or '':{width}}  {count:>17,}" for preset, count in self.parameters.items())
        return "\n".join([f"{self.name}: {self.summary}", *rows])
