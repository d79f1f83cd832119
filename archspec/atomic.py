"""Writing files so that they appear whole or not at all.

Everything is first written into a scratch folder on the same file system and moved into place only on
success. Whatever ends the work early (an error, a full disk, Ctrl-C) leaves the old state behind.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from archspec.errors import ArchspecError, Diagnostic

_PREFIX = ".archspec-"


def write_text(path: Path, text: str) -> None:
    """Writes `text` as UTF-8. Raises ArchspecError F001 or F002."""
    write_bytes(path, text.encode())


def write_new_text(path: Path, text: str) -> None:
    """The same, where nothing is there yet. Raises ArchspecError F001, or F002 for a file that is there."""
    if path.exists():
        raise _in_the_way(path, "it is there already")
    write_text(path, text)


def write_bytes(path: Path, data: bytes) -> None:
    """Writes `data`. Raises ArchspecError F001 or F002."""
    with replacing(path) as scratch:
        scratch.write_bytes(data)


@contextmanager
def replacing(path: Path) -> Generator[Path]:
    """Gives a path to write one file at, and moves that file to `path` on success.

    Missing parent folders are made. A link is followed, so it stays a link.
    Raises ArchspecError F001 (cannot write) or F002 (`path` is a folder or a device).
    """
    target = Path(os.path.realpath(path))
    with _coded(target, path):
        _refuse_unless_file(target)
        with _scratch_in(target.parent) as scratch:
            yield scratch / target.name
            os.replace(scratch / target.name, target)


@contextmanager
def new_directory(path: Path) -> Generator[Path]:
    """Gives an empty folder to fill, and moves its files into the folder `path` on success.

    Files of the same name are replaced, all others in `path` are kept. Each file is moved whole.
    Raises ArchspecError F001 (cannot write) or F002 (what is in the way is not a folder, or not a file).
    """
    target = Path(os.path.realpath(path))
    with _coded(target, path):
        if target.exists() and not target.is_dir():
            raise _in_the_way(path, "it is not a folder")
        with _scratch_in(target if target.is_dir() else target.parent) as scratch:
            filled = scratch / "new"
            filled.mkdir()
            yield filled
            _move_into(filled, target)


def _move_into(filled: Path, target: Path) -> None:
    if not target.exists():
        os.replace(filled, target)
        return
    places = {path: target / path.relative_to(filled) for path in sorted(filled.rglob("*")) if path.is_file()}
    for place in places.values():
        _refuse_unless_file(place)
    for path, place in places.items():
        place.parent.mkdir(parents=True, exist_ok=True)
        os.replace(path, place)


@contextmanager
def _scratch_in(parent: Path) -> Generator[Path]:
    """A private folder inside `parent`. Parents made for it go again if they end up empty."""
    made = [folder for folder in (parent, *parent.parents) if not folder.exists()]
    try:
        if made:
            parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=_PREFIX, dir=parent, ignore_cleanup_errors=True) as folder:
            yield Path(folder)
    finally:
        with suppress(OSError):  # the first folder that is not empty ends it
            for folder in made:
                folder.rmdir()


@contextmanager
def _coded(target: Path, path: Path) -> Generator[None]:
    """Turns an OSError about `target` into F001. One about another file, read meanwhile, passes through."""
    try:
        yield
    except OSError as error:
        if not _concerns(error, target):
            raise
        raise ArchspecError(Diagnostic("F001", f"cannot write {path}: {error.strerror or error}")) from error


def _concerns(error: OSError, target: Path) -> bool:
    if error.filename is None:  # a failed write names no file
        return True
    named = Path(os.path.realpath(os.fsdecode(error.filename)))
    return _PREFIX in str(named) or named.is_relative_to(target) or target.is_relative_to(named)


def _refuse_unless_file(path: Path) -> None:
    if path.is_dir():
        raise _in_the_way(path, "it is a folder")
    if path.exists() and not path.is_file():
        raise _in_the_way(path, "it is not a regular file")


def _in_the_way(path: Path, reason: str) -> ArchspecError:
    return ArchspecError(Diagnostic("F002", f"cannot write {path}: {reason}", hint="choose another path"))
