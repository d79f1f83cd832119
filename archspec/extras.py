"""Packages that are not part of the core install: what is missing, and how to install it."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from archspec.errors import ArchspecError, Diagnostic


@contextmanager
def installed(extra: str) -> Generator[None]:
    """For imports that need the extra `extra`. Raises ArchspecError X002 where its package is missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        message = f"the package '{error.name}' is not installed"
        hint = f"pip install 'archspec-compiler[{extra}]'"
        raise ArchspecError(Diagnostic("X002", message, None, hint)) from error
