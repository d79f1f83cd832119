"""Text to token ids and back, by a tokenizer file of Hugging Face's `tokenizers`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from archspec.errors import ArchspecError, Diagnostic
from archspec.extras import installed

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_UNFINISHED = "\ufffd"  # what decoding gives for bytes that are not a character yet


class Tokens(Struct, frozen=True):
    """One vocabulary."""

    tokenizer: Tokenizer

    @classmethod
    def read(cls, path: Path) -> Tokens:
        """Raises ArchspecError X002 (tokenizers is not installed), X009 (not a tokenizer file)."""
        with installed("torch"):
            from tokenizers import Tokenizer  # lazy: only text needs it

        try:
            return cls(Tokenizer.from_str(path.read_text(encoding="utf-8")))
        except Exception as error:  # tokenizers raises nothing narrower
            hint = "expected a tokenizer.json"
            raise ArchspecError(
                Diagnostic("X009", f"cannot read a tokenizer from {path}: {error}", None, hint)
            ) from error

    def encode(self, text: str) -> list[int]:
        """The ids of a text, with the special tokens that the tokenizer adds."""
        return list(self.tokenizer.encode(text).ids)

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids, special tokens left out."""
        return self.tokenizer.decode(list(ids))

    def name(self, token: int) -> str:
        """A token as the vocabulary writes it."""
        return repr(self.tokenizer.id_to_token(token) or str(token))

    def pieces(self, ids: Iterator[int]) -> Iterator[str]:
        """The text of ids as they come, character by whole character."""
        seen: list[int] = []
        shown = 0
        for token in ids:
            seen.append(token)
            text = self.decode(seen)
            if not text.endswith(_UNFINISHED):
                yield text[shown:]
                shown = len(text)
        yield self.decode(seen)[shown:]
