"""The folder of a system of several models: `model_index.json` names its parts, each in its own folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from msgspec import Struct

from archspec.errors import Diagnostic, SpecError, did_you_mean
from archspec.importing.candidates import Candidate, Part, identity
from archspec.importing.equations import IDENTITY
from archspec.importing.fields import Fields, fields_of
from archspec.importing.harmless import table
from archspec.importing.json_nodes import load_config
from archspec.spec.node import Mapping as Table
from archspec.spec.node import Node, Scalar, Sequence, plain
from archspec.spec.spec import Spec

INDEX = "model_index.json"


class System(Struct, frozen=True):
    """A folder, and what its index says. `named`: the entry of each part that is there."""

    folder: Path
    index: Table
    named: Mapping[str, Scalar]

    @classmethod
    def read(cls, folder: Path) -> System:
        """Raises SpecError C001."""
        index = load_config(folder / INDEX)
        named = {str(key.value): key for key, value in index.entries if isinstance(value, Sequence)}
        absent = {name for name in named if None in (plain(each) for each in _items(index, name))}
        return cls(folder, index, {name: key for name, key in named.items() if name not in absent})


def _items(index: Table, name: str) -> tuple[Node, ...]:
    value = index.get(name)
    return value.items if isinstance(value, Sequence) else ()


def of_system(system: System, specs: Mapping[str, Spec]) -> list[Candidate]:
    """The specs made of parts like these. Raises SpecError C002 where there are none."""
    folders = {name: {each.folder: each for each in fields_of(spec)} for name, spec in specs.items()}
    fitting = [name for name, parts in folders.items() if system.named.keys() & parts.keys()]
    if not fitting:
        hint = f"import one of its parts: {', '.join(_importable(system)) or 'none has a config.json'}"
        message = f"no spec is made of such parts: {', '.join(system.named) or 'it names none'}"
        raise SpecError(Diagnostic("C002", message, system.index.span, hint))
    return [_candidate(system, name, specs[name], folders[name]) for name in fitting]


def _importable(system: System) -> list[str]:
    return sorted(entry.parent.name for entry in system.folder.glob("*/config.json"))


def _candidate(system: System, base: str, spec: Spec, described: Mapping[str | None, Fields]) -> Candidate:
    sections = {folder: fields for folder, fields in described.items() if folder is not None}
    wrong = [*_missing(system, spec, tuple(sections)), *_unknown(system, spec, frozenset(sections))]
    there = [folder for folder in sections if (system.folder / folder / "config.json").is_file()]
    parts = [_part(system.folder / folder, sections[folder]) for folder in there]
    unread = tuple(name for name in system.named if name in table().parts)
    return Candidate(base, spec, None, tuple(parts), system.index.span, tuple(wrong), unread)


def _part(folder: Path, fields: Fields) -> Part:
    config = load_config(folder / "config.json")
    identity(config)
    return Part(config, fields, folder.name)


def _missing(system: System, spec: Spec, folders: tuple[str, ...]) -> Iterator[Diagnostic]:
    for folder in folders:
        key = system.named.get(folder)
        if key is None:
            message = f"the part '{folder}' is missing: '{spec.name}' is made of {', '.join(folders)}"
            yield Diagnostic("C008", message, system.index.span, "import one of its parts by its folder")
        elif not (system.folder / folder / "config.json").is_file():
            message = f"the part '{folder}' is missing: there is no {folder}/config.json"
            yield Diagnostic("C008", message, key.span, "put the configuration there")


def _unknown(system: System, spec: Spec, folders: frozenset[str]) -> Iterator[Diagnostic]:
    """What the index says besides, if it is not known to be harmless."""
    known = {*IDENTITY, *folders, *table().parts}
    for key, value in system.index.entries:
        name = str(key.value)
        absent = isinstance(value, Sequence) and name not in system.named
        if name not in known and not absent and not table().excuses(name, plain(value)):
            what = (
                f"'{spec.name}' has no such part"
                if name in system.named
                else f"'{spec.name}' says nothing of it"
            )
            hint = did_you_mean(name, sorted(folders)) or "it may change what the system computes"
            yield Diagnostic("C003", f"'{name}' is not understood: {what}", key.span, hint)
