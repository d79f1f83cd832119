"""An imported configuration as a spec that extends the library's."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from archspec.errors import Diagnostic, Source, Span, SpecError
from archspec.importing.choose import Choice, scalar
from archspec.importing.json_nodes import load_config
from archspec.importing.system import INDEX, System
from archspec.spec.node import Mapping as Table
from archspec.spec.node import Node, Plain, Scalar, plain
from archspec.spec.spec import Spec
from archspec.spec.write import write

_SPAN = Span(Source("import", ""), 1, 1, 1, 1)


class Imported(Struct, frozen=True):
    """A spec made from a configuration. `left_out`: fields whose meaning is the value of `extends`."""

    name: str
    extends: str
    params: Mapping[str, Plain]
    left_out: tuple[str, ...]
    text: str

    def record(self) -> dict[str, object]:
        """The same as plain data."""
        return {
            "name": self.name, "extends": self.extends, "params": dict(self.params),
            "left_out": list(self.left_out), "spec": self.text,
        }  # fmt: skip

    def __str__(self) -> str:
        return self.text


def configuration(path: Path) -> Table | System:
    """The configuration in a file, or in the folder of a model, or of a system of several.

    Raises SpecError C001 where there is none, or where it is not a JSON object.
    """
    if not path.is_dir():
        return load_config(path)
    if (path / "config.json").exists():
        return load_config(path / "config.json")
    if (path / INDEX).exists():
        return System.read(path)
    parts = sorted(entry.parent.name for entry in path.glob("*/config.json"))
    hint = f"import one of its parts: {', '.join(parts)}" if parts else "give the path of the file"
    span = Span(Source(str(path), ""), 1, 1, 1, 1)
    raise SpecError(Diagnostic("C001", f"the folder holds no config.json and no {INDEX}", span, hint))


def document(choice: Choice, spec: Spec, path: Path, name: str | None) -> Imported:
    """The spec for a choice; `path`, where the configuration was, gives the name unless there is one."""
    named = name or model_name(path, spec.name)
    params: dict[str, Node] = {
        key: scalar(value, spec.section("params")) for key, value in choice.params.items()
    }
    entries: list[tuple[str, Node]] = [
        ("archspec", Scalar(1, "1", _SPAN)),
        ("name", _word(named)),
        ("extends", _word(choice.base)),
    ]
    entries += [("graph", _word(choice.graph))] if choice.graph else []
    entries += [("params", _table(params))] if params else []
    comments = {f"params.{key}": field for key, field in choice.origin.items()}
    text = _note(choice) + write(_table(dict(entries)), comments)
    return Imported(
        named, choice.base, {key: plain(node) for key, node in params.items()}, choice.left_out, text
    )


def _note(choice: Choice) -> str:
    """What the file does not say, as a comment."""
    absent, unread = ", ".join(choice.left_out), ", ".join(choice.unread)
    first = f"# Left out there, so as in {choice.base}: {absent}.\n" if absent else ""
    return f"{first}# Not read: {unread}.\n" if unread else first


def model_name(path: Path, base: str) -> str:
    """A name for a model: its folder's, or its file's where that is not called config.json."""
    place = path.resolve()
    own = place.name if place.is_dir() else place.parent.name if place.name == "config.json" else place.stem
    word = re.sub(r"[^A-Za-z0-9_.-]+", "-", own).strip("-.") or "model"
    return (word if word[0].isascii() and word[0].isalpha() else f"{base}-{word}")[:64]


def _word(text: str) -> Scalar:
    return Scalar(text, text, _SPAN)


def _table(entries: Mapping[str, Node]) -> Table:
    return Table(tuple((_word(key), value) for key, value in entries.items()), _SPAN)
