"""What one class of emitted source needs from the rest of the file."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Parts:
    """Imports, copied runtime functions and mask functions, shared by all classes of a file."""

    imports: set[str] = field(default_factory=set)
    runtime: dict[str, None] = field(default_factory=dict)
    masks: dict[object, tuple[str, tuple[str, ...], tuple[str, ...]]] = field(default_factory=dict)

    def require(self, line: str) -> None:
        if line.startswith("runtime:"):
            self.runtime.setdefault(line.removeprefix("runtime:"))
        else:
            self.imports.add(line)
