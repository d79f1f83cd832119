"""The file of efficiencies that were reached on a machine: written after a measurement, read for estimates.

JSON: `{"mfu": {"low": 0.4, "high": 0.5, "source": "…"}, "mbu": {…}}`, shares of a device's peaks in (0, 1].
"""

from __future__ import annotations

from pathlib import Path

import msgspec
from msgspec import Struct

from archspec.analysis.ranges import Band, efficiency
from archspec.analysis.roofline import Efficiency
from archspec.errors import ArchspecError, Diagnostic


def reached_text(reached: Efficiency) -> str:
    """The text of such a file. Raises ArchspecError D004 where a band is none."""
    _check(reached)
    return msgspec.json.format(msgspec.json.encode(reached), indent=2).decode() + "\n"


def read_reached(path: Path) -> Efficiency:
    """Raises ArchspecError D010 where the file cannot be read, D004 where a band is none."""
    try:
        reached = msgspec.json.decode(path.read_bytes(), type=_File)
    except OSError as error:
        raise _wrong(path, error.strerror or "it cannot be read") from error
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise _wrong(path, str(error)) from error
    found = Efficiency(reached.mfu, reached.mbu)
    _check(found)
    return found


class _File(Struct, frozen=True, forbid_unknown_fields=True):
    """Both bands have to be there."""

    mfu: Band
    mbu: Band


def _check(reached: Efficiency) -> None:
    efficiency("MFU", reached.mfu)
    efficiency("MBU", reached.mbu)


def _wrong(path: Path, reason: str) -> ArchspecError:
    hint = "`archspec profile SPEC -o FILE` writes such a file"
    return ArchspecError(Diagnostic("D010", f"{path} holds no efficiencies: {reason}", None, hint))
