"""The cases in `tests/cases/language/*.md`: a spec each, and what it means, as IR or as a few lines of torch.

A case is a heading `##` with fenced blocks below it. `yaml` is the spec, but for `archspec` and `name`;
`yaml base.yaml` is a file beside it. `ir` is the graph that it lowers to. `python` computes its outputs from
the inputs, by name, and the weights `w`; with `loss` or `loss=name` behind it, a loss. Behind either,
`preset=p` and `a=1` set params.
"""

import re
from dataclasses import dataclass
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
    def loss(self) -> str | None:
        """The method of the model that it is about, if it is a loss."""
        words = [word.replace("=", "_") for word in self.words if word.partition("=")[0] == "loss"]
        return words[0] if words else None

    @property
    def settings(self) -> tuple[str, ...]:
        """What it sets, as `name=value`."""
        return tuple(word for word in self.words if "=" in word and not word.startswith("loss="))


@dataclass(frozen=True)
class Case:
    """One spec of a Markdown file."""

    path: Path
    name: str
    blocks: tuple[Block, ...]

    def of(self, language: str) -> tuple[Block, ...]:
        return tuple(block for block in self.blocks if block.language == language)

    def load(self, folder: Path, block: Block) -> Spec:
        """The spec, its documents written into `folder`, under the settings of a block."""
        for document in self.of("yaml"):
            name, head = (document.words[0], "") if document.words else ("case.yaml", _HEAD)
            (folder / name).write_text(head + document.text, encoding="utf-8")
        settings = dict(word.split("=", 1) for word in block.settings)
        preset = settings.pop("preset", None)
        return api.load(folder / "case.yaml", preset=preset, overrides=settings)


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
ARCHITECTURES = sorted((FOLDER / "architectures").glob("*.yaml"))


def ir(graph: Graph) -> str:
    """The graph without its heading: what a case shows."""
    return text.show(graph).split("\n\n", 1)[1]
