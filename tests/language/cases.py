"""The cases in `tests/cases/language/*.md`: a spec each, and what it means, as the IR or as a few lines of torch.

A case is a heading `##` with fenced blocks below it. `yaml` is the spec, but for `archspec` and `name`;
`yaml name.yaml` is a file beside it. `ir` is the graph that it lowers to. `python` computes its outputs from the
inputs, by name, and the weights `w`; `python loss` computes a loss. Behind either, `preset=p` and `a=1` set params.
"""

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from archspec import api
from archspec.ir import text
from archspec.ir.graph import Graph
from archspec.spec.spec import Spec

FOLDER = Path(__file__).parents[1] / "cases" / "language"
_HEADING = re.compile(r"^## (.+)$", re.MULTILINE)
_FENCE = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_HEAD = "archspec: 1\nname: case\n"


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block: its language, the words behind it, its text, and where that stands in the file."""

    language: str
    words: tuple[str, ...]
    text: str
    span: tuple[int, int]

    @property
    def preset(self) -> str | None:
        return self._settings().get("preset")

    @property
    def overrides(self) -> dict[str, str]:
        return {name: value for name, value in self._settings().items() if name != "preset"}

    def _settings(self) -> dict[str, str]:
        pairs = (word.partition("=") for word in self.words if "=" in word)
        return {name: value for name, _, value in pairs if name != "loss"}

    def __str__(self) -> str:
        return " ".join(self.words)


@dataclass(frozen=True)
class Case:
    """One spec of a Markdown file."""

    path: Path
    name: str
    blocks: tuple[Block, ...]

    @property
    def title(self) -> str:
        return f"{self.path.stem}: {self.name}"

    def of(self, language: str) -> tuple[Block, ...]:
        return tuple(block for block in self.blocks if block.language == language)

    def write(self, folder: Path) -> Path:
        """The case's documents as files; gives the spec's."""
        for block in self.of("yaml"):
            name = block.words[0] if block.words else "case.yaml"
            (folder / name).write_text(block.text if block.words else _HEAD + block.text, encoding="utf-8")
        return folder / "case.yaml"

    def load(self, folder: Path, block: Block) -> Spec:
        return api.load(self.write(folder), preset=block.preset, overrides=block.overrides)

    @cached_property
    def source(self) -> str:
        return self.path.read_text(encoding="utf-8")


def cases(path: Path) -> list[Case]:
    """The cases of one file, in order."""
    source = path.read_text(encoding="utf-8")
    starts = [*_HEADING.finditer(source)]
    ends = [*(match.start() for match in starts[1:]), len(source)]
    return [_case(path, source, match, end) for match, end in zip(starts, ends, strict=True)]


def _case(path: Path, source: str, heading: re.Match[str], end: int) -> Case:
    found = _FENCE.finditer(source, heading.end(), end)
    blocks = tuple(Block(m[1], tuple(m[2].split()), m[3], m.span(3)) for m in found)
    return Case(path, heading[1], blocks)


ALL = [case for path in sorted(FOLDER.glob("*.md")) for case in cases(path)]


def ir(graph: Graph) -> str:
    """The graph without its heading: what a case shows."""
    return text.show(graph).split("\n\n", 1)[1]
