"""What lies beside the models in the folder of a published system: tokenizers, schedulers, who runs them."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import cast

from msgspec import Struct

INDEX = "model_index.json"
LARGEST = 2**26
"""Bytes of a file that is copied: vocabularies have 1 to 20 MB."""
TEXTS = (".json", ".txt", ".jinja")


class Companions(Struct, frozen=True):
    """`pipeline`: the class that the index names; `classes`: library and class of each part without weights.

    `texts`: files of these, by their path.
    """

    pipeline: str | None = None
    classes: Mapping[str, list[str]] = {}
    texts: Mapping[str, str] = {}

    @classmethod
    def read(cls, folder: Path | None, models: Collection[str]) -> Companions:
        """Of a checkpoint's folder; nothing where it has no sound index. `models`: parts that are known."""
        index = _index(folder / INDEX) if folder is not None else None
        if folder is None or index is None:
            return cls()
        classes = {
            name: [str(each) for each in cast("list[object]", pair)]
            for name, pair in index.items()
            if isinstance(pair, list) and name not in models and _is_text(folder / name)
        }
        files = (file for name in classes for file in sorted((folder / name).iterdir()))
        texts = {f"{file.parent.name}/{file.name}": file.read_text(encoding="utf-8") for file in files}
        kind = index.get("_class_name")
        return cls(kind if isinstance(kind, str) else None, classes, texts)


def _index(path: Path) -> Mapping[str, object] | None:
    try:
        content = cast("object", json.loads(path.read_bytes()))
    except (OSError, ValueError):
        return None
    return cast("Mapping[str, object]", content) if isinstance(content, dict) else None


def _is_text(folder: Path) -> bool:
    """Whether a folder holds text alone, and not too much of it."""
    files = list(folder.iterdir()) if folder.is_dir() else []
    return bool(files) and all(
        file.is_file() and file.suffix in TEXTS and file.stat().st_size < LARGEST for file in files
    )
