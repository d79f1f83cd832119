"""Resident memory of this process, as Linux tells it; None, or the most ever, elsewhere."""

from __future__ import annotations

import resource
import sys
from contextlib import suppress
from pathlib import Path

_STATUS = Path("/proc/self/status")


def set_mark_back() -> None:
    """From here on `highest` is counted anew; of the whole process where the kernel does not let it be."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def now() -> int | None:
    """Bytes at the moment."""
    return _status("VmRSS:")


def highest() -> int:
    """The most bytes since the mark was set back; elsewhere than on Linux, of the whole process."""
    # macOS counts bytes, others kilobytes.
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return _status("VmHWM:") or (most if sys.platform == "darwin" else most * 1024)


def _status(key: str) -> int | None:
    try:
        lines = _STATUS.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(key)), None)
