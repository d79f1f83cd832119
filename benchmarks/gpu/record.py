"""What was found, in a JSON file that is whole at every moment: each item is added by a rename."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any

Item = dict[str, Any]


class Record:
    """`about` (device, versions, clocks, date) and `items`: a phase, what it is of, `found` or `error`."""

    def __init__(self, path: Path, about: Item) -> None:
        self.path, self.about, self.items = path, about, list[Item]()
        self._lock = threading.Lock()
        self._write()

    def add(self, item: Item) -> None:
        with self._lock:
            self.items.append(item)
            self._write()

    def tell(self, **about: Any) -> None:
        with self._lock:
            self.about |= about
            self._write()

    def of(self, phase: str) -> list[Item]:
        return [item for item in self.items if item["phase"] == phase]

    def _write(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        beside = self.path.with_suffix(".part")
        beside.write_text(json.dumps({"about": self.about, "items": self.items}, indent=1) + "\n", "utf-8")
        os.replace(beside, self.path)


def read(path: Path) -> tuple[Item, list[Item]]:
    """`about` and `items` of a file."""
    whole = json.loads(path.read_text("utf-8"))
    return whole["about"], whole["items"]
