"""What may be a name. Names become identifiers of emitted source, and words of expressions."""

from __future__ import annotations

import keyword
import re

MAX_LENGTH = 64
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z")
_PRESET = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}\Z")
_LITERALS = frozenset({"true", "false", "null", "inf"})
_MEANINGS = frozenset({"past", "width", "i", "last", "first", "self", "cache"})
_BANNED = {
    "hidden_dim": (
        "'hidden_dim' means two things in this field",
        "write 'hidden_size' or 'intermediate_size'",
    )
}


def short(text: str) -> str:
    """A text as a message quotes it: a line that is not a page."""
    return text if len(text) <= MAX_LENGTH else f"{text[: MAX_LENGTH - 1]}…"


def refusal(name: str) -> tuple[str, str] | None:
    """Why a text cannot be a name, and what to do about it; None for a name."""
    if len(name) > MAX_LENGTH:
        return f"'{name[:20]}…' is too long for a name", f"{MAX_LENGTH} characters at most"
    if not _NAME.match(name):
        return f"'{short(name)}' is not a name", "letters, digits and _, a letter first"
    if keyword.iskeyword(name):
        return f"'{name}' is a word of Python and cannot be a name", f"try '{name}_'"
    return None


def preset_refusal(name: str) -> tuple[str, str] | None:
    """The same for presets, which are words of the command line only: sizes such as `1.3b` will do."""
    if _PRESET.match(name):
        return None
    hint = "letters, digits, '_', '.' and '-', a letter or digit first, 64 at most"
    return f"'{short(name)}' cannot be the name of a preset", hint


def value_refusal(name: str) -> tuple[str, str] | None:
    """The same for what expressions read: params, arguments, inputs; there some words are taken."""
    if name in _LITERALS or name in _MEANINGS:
        return f"'{name}' has a meaning of its own here and cannot be a name", f"try '{name}_'"
    return _BANNED.get(name) or refusal(name)


def boolean_hint(text: str) -> str | None:
    """What to write in place of a word that YAML 1.1 read as a boolean."""
    meant = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}
    word = meant.get(text.lower())
    return f"YAML 1.2 reads {text} as a word: write {word}" if word else None
