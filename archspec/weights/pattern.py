"""Patterns over tensor names: runs of dotted segments; `*` stands for one index, as in `h.*`, `expert_*`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache

from msgspec import Struct

_SEGMENT = re.compile(r"[^\s.*?]*\*[^\s.*?]*|[^\s.*?]+")
_NUMBER = "(?:0|[1-9][0-9]*)"
_INDEX = re.compile(rf"(?<![^.]){_NUMBER}(?![^.])")


class MalformedPattern(ValueError):
    """The text is not a pattern; the message says why. Callers turn it into a diagnostic."""


class Match(Struct, frozen=True):
    """`head.pattern.tail` is the name; `indices` are what the `*` stood for, in order."""

    head: str
    indices: tuple[str, ...]
    tail: str


class Pattern(Struct, frozen=True):
    """A parsed pattern. `text` is without the `?` that makes it `optional`."""

    text: str
    optional: bool

    @classmethod
    def parse(cls, written: str, may_be_empty: bool = False) -> Pattern:
        """Raises MalformedPattern. The empty pattern stands for no segments."""
        text = written.removesuffix("?")
        segments = [] if may_be_empty and not text else text.split(".")
        if not all(_SEGMENT.fullmatch(segment) for segment in segments):
            raise MalformedPattern(f"'{written}' is not a name: segments divided by dots, `*` for an index")
        return cls(text, text != written)

    @property
    def stars(self) -> int:
        return self.text.count("*")

    def at_start(self, name: str) -> Match | None:
        """Where the pattern is the first segments of `name`."""
        return _match(_at_start(self.text), name)

    def inside(self, name: str) -> Match | None:
        """Where the pattern occurs in `name`: the last place if there are several."""
        return _match(_inside(self.text), name)

    def fill(self, indices: Iterable[str]) -> str:
        """The pattern with `indices` in place of its `*`, in order."""
        given = iter(indices)
        return re.sub(r"\*", lambda _: next(given), self.text)


@cache
def _at_start(text: str) -> re.Pattern[str]:
    return re.compile(rf"()(?:{_segments(text)})(?:\.(.+))?" if text else r"()(.*)")


@cache
def _inside(text: str) -> re.Pattern[str]:
    return re.compile(rf"(?:(.+)\.)?{_segments(text)}(?:\.(.+))?")


def _segments(text: str) -> str:
    return f"({_NUMBER})".join(map(re.escape, text.split("*")))


def _match(regex: re.Pattern[str], name: str) -> Match | None:
    found = regex.fullmatch(name)
    if found is None:
        return None
    head, *indices, tail = found.groups()
    return Match(head or "", tuple(indices), tail or "")


def join(*parts: str) -> str:
    """The parts as one dotted name; empty parts vanish."""
    return ".".join(part for part in parts if part)


def sibling(pattern: Pattern, last: str) -> Pattern:
    """The pattern with its last segment replaced by `last`, which may be several segments."""
    parent, dot, _ = pattern.text.rpartition(".")
    parsed = Pattern.parse(parent + dot + last)
    if parsed.stars != pattern.stars:
        raise MalformedPattern(f"'{last}' must stand in for the last segment of '{pattern.text}'")
    return parsed


def parse_pair(left: str, right: str, left_may_be_empty: bool = False) -> tuple[Pattern, Pattern]:
    """A rewrite. Every index on the left must be carried over, or names would collide.

    Raises MalformedPattern.
    """
    pair = Pattern.parse(left, left_may_be_empty), Pattern.parse(right, may_be_empty=True)
    if pair[0].stars != pair[1].stars:
        raise MalformedPattern(f"'{left}' has {pair[0].stars} `*`, but '{right}' has {pair[1].stars}")
    return pair


class Substitution(Struct, frozen=True):
    """Rewrites runs of segments anywhere: left to right, the longest first, each segment once."""

    rules: Mapping[str, tuple[Pattern, Pattern]]
    regex: re.Pattern[str] | None

    @classmethod
    def of(cls, rules: Mapping[str, tuple[Pattern, Pattern]]) -> Substitution:
        longest = dict(sorted(rules.items(), key=lambda item: -item[1][0].text.count(".")))
        bodies = (r"\.".join(map(_segment_regex, left.text.split("."))) for left, _ in longest.values())
        alternatives = "|".join(f"(?P<r{place}>{body})" for place, body in enumerate(bodies))
        regex = re.compile(rf"(?<![^.])(?:{alternatives})(?![^.])") if alternatives else None
        return cls(longest, regex)

    def apply(self, name: str) -> tuple[str, frozenset[str]]:
        """The rewritten name, and the keys of the rules that took part."""
        if self.regex is None:
            return name, frozenset()
        keys, used = list(self.rules), set[str]()

        def rewrite(found: re.Match[str]) -> str:
            key = keys[int((found.lastgroup or "r0")[1:])]
            used.add(key)
            left, right = self.rules[key]
            at = left.at_start(found[0])
            return right.fill(at.indices if at else ())

        return join(*self.regex.sub(rewrite, name).split(".")), frozenset(used)


def _segment_regex(segment: str) -> str:
    return _NUMBER.join(map(re.escape, segment.split("*")))


def generalised(name: str) -> str:
    """The name with every index written as `*`."""
    return _INDEX.sub("*", name)
