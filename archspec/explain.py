"""What the codes of diagnostics mean: `explain.md`, one heading `## CODE slug` for each."""

from __future__ import annotations

import re
from pathlib import Path

from archspec.errors import ArchspecError, Diagnostic, did_you_mean

_PAGE = Path(__file__).with_name("explain.md")
_HEADING = re.compile(r"^## ([A-Z][0-9]{3}) ([a-z0-9-]+)$", re.MULTILINE)


def codes() -> dict[str, str]:
    """Every code with its slug, in the order of the page: `{"Y001": "unreadable-file", …}`."""
    return {code: slug for code, slug, _ in _sections()}


def explain(code: str) -> str:
    """The section of a code as Markdown: what it means, a wrong example, a right one.

    Case does not matter. Raises `ArchspecError` (`X001`) for an unknown code.
    """
    wanted = code.strip().upper()
    for known, slug, text in _sections():
        if wanted == known:
            return f"## {known} {slug}\n\n{text}\n"
    hint = did_you_mean(wanted, codes()) or "codes are a letter and three digits, as in 'Y009'"
    raise ArchspecError(Diagnostic("X001", f"there is no code '{code}'", None, hint))


def _sections() -> list[tuple[str, str, str]]:
    _, *parts = _HEADING.split(_PAGE.read_text(encoding="utf-8"))
    return [(code, slug, text.strip()) for code, slug, text in zip(*[iter(parts)] * 3, strict=True)]
