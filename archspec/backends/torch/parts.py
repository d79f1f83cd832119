"""What the classes of a file need from outside of them."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Parts:
    """Imports and copied functions, shared by all classes of a file."""

    imports: set[str] = field(default_factory=set[str])
    runtime: dict[str, None] = field(default_factory=dict[str, None])

    def require(self, line: str) -> None:
        """Ask for an import line, or by `runtime:file.name` for a function of the runtime folder."""
        if line.startswith("runtime:"):
            self.runtime.setdefault(line.removeprefix("runtime:"))
        else:
            self.imports.add(line)
