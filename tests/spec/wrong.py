"""Cases of wrong documents in Markdown: under each heading a document, and the findings it must give."""

import re
from dataclasses import dataclass
from pathlib import Path

from archspec import library
from archspec.errors import ArchspecError, Collector, Diagnostic, Source, Span, SpecError
from archspec.lowering.lower import lower
from archspec.report import render_text
from archspec.spec.extend import resolve
from archspec.spec.node import Mapping, Scalar, Sequence
from archspec.spec.spec import read_spec
from archspec.spec.yaml import load_file, load_text

FOLDER = Path(__file__).parents[1] / "cases" / "errors"
CASE = re.compile(r"^## (.+)\n```yaml(.*)\n((?:.*\n)*?)```\n```text\n((?:.*\n)*?)```\n", re.MULTILINE)
WHOLE = (
    "whole"  # the document is complete as it stands; others get a version and a name behind their last line
)


@dataclass(frozen=True)
class Case:
    """`options` are the words behind `yaml`: `whole`, `preset=NAME`, `set=NAME=VALUE`."""

    file: Path
    title: str
    options: tuple[str, ...]
    document: str
    expected: str

    def __str__(self) -> str:
        return f"{self.file.stem}: {self.title}"

    @property
    def text(self) -> str:
        return self.document if WHOLE in self.options else complete(self.document)

    def option(self, name: str) -> str | None:
        return next((o.partition("=")[2] for o in self.options if o.startswith(f"{name}=")), None)


def complete(document: str) -> str:
    """The document with a version and a name behind its last line, where it has none."""
    missing = [
        line for line in ("archspec: 1", "name: m") if not re.search(f"^{line[:4]}.*:", document, re.M)
    ]
    return document + "".join(f"{line}\n" for line in missing)


def cases(file: Path) -> list[Case]:
    found = CASE.findall(file.read_text(encoding="utf-8"))
    return [Case(file, title, tuple(options.split()), text, out) for title, options, text, out in found]


def files() -> list[Path]:
    return sorted(FOLDER.glob("*.md"))


def findings(text: str, preset: str | None = None, override: str | None = None) -> tuple[Diagnostic, ...]:
    """Every finding of a document, from its text to its graph."""
    found = Collector()
    try:
        node = load_text(Source("spec.yaml", text))
        if isinstance(node, Mapping):
            node = resolve(node, None, find=parent)
        overrides = (_override(override),) if override else ()
        spec = read_spec(node, preset=preset, overrides=overrides, found=found)
        lower(spec, found)
    except ArchspecError as error:
        return error.diagnostics
    return ()


def _override(text: str) -> tuple[str, Scalar | Sequence]:
    name, _, value = text.partition("=")
    node = load_text(Source(f"--set {text}", value))
    assert not isinstance(node, Mapping)
    return name, node


def parent(name: str, path: Path | None, span: Span) -> tuple[Mapping, Path | None]:
    try:
        file = library.find(name)
    except SpecError as error:
        raise SpecError(*(Diagnostic(d.code, d.message, span, d.hint) for d in error.diagnostics)) from None
    node = load_file(file)
    assert isinstance(node, Mapping)
    return node, file


def rendered(case: Case) -> str:
    """The case's findings, as they are printed."""
    found = findings(case.text, case.option("preset"), case.option("set"))
    return render_text(found) + "\n" if found else ""


def rewritten(file: Path) -> str:
    """The file with the findings that its documents give now."""
    text = file.read_text(encoding="utf-8")
    for case in cases(file):
        head = f"```\n```text\n{case.expected}```\n"
        start = text.index(case.document + head, text.index(f"## {case.title}\n"))
        end = start + len(case.document + head)
        text = text[:start] + f"{case.document}```\n```text\n{rendered(case)}```\n" + text[end:]
    return text
