"""Finds a device: by name among those that archspec comes with, or in a file of the user's own."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from archspec.analysis.device import Device
from archspec.analysis.device_file import read_aliases, read_device
from archspec.errors import ArchspecError, Diagnostic, did_you_mean

HARDWARE = Path(__file__).with_name("hardware")


def device(name: str | Path) -> Device:
    """A device by name (`h100-sxm`, or a shorter name that its file lists), or by the path of a file.

    Raises ArchspecError D001 for an unknown name; SpecError D002, with all findings in place, for a wrong
    file, and Y001 to Y019 for its text.
    """
    if isinstance(name, Path) or name.endswith((".yaml", ".yml")) or os.sep in name:
        return read_device(Path(name))
    wanted = name.strip().lower().replace("_", "-").replace(" ", "-")
    return _shipped(wanted if wanted in device_names() else _full_name(wanted, name))


@cache
def device_names() -> tuple[str, ...]:
    """The names of the devices that archspec comes with, sorted."""
    return tuple(sorted(path.stem for path in HARDWARE.glob("*.yaml")))


@cache
def short_names() -> dict[str, str]:
    """Every shorter name that a file lists, to the name of its device."""
    return {alias: name for name in device_names() for alias in read_aliases(HARDWARE / f"{name}.yaml")}


@cache
def _shipped(name: str) -> Device:
    return read_device(HARDWARE / f"{name}.yaml")


def _full_name(wanted: str, as_given: str) -> str:
    names = short_names()
    if wanted not in names:
        known = f"there is: {', '.join(device_names())}; or the path of a file of your own"
        hint = "; ".join(filter(None, [did_you_mean(wanted, [*device_names(), *names]), known]))
        raise ArchspecError(Diagnostic("D001", f"no device is called '{as_given}'", hint=hint))
    return names[wanted]
