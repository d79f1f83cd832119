"""Tables and plots of the newest run, in docs/kernels.md between two marks."""

from __future__ import annotations

from pathlib import Path

from benchmarks.gpu.plots import pictures
from benchmarks.gpu.record import Item, read
from benchmarks.gpu.results import Raced
from benchmarks.gpu.show import machine, sections

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "kernels.md"
RESULTS = ROOT / "benchmarks" / "results"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
NOTHING = "No GPU was there so far: every table says so."


def newest(results: Path = RESULTS) -> Path | None:
    """The last file by its name, which is a date; rehearsals are no results."""
    found = sorted(results.glob("*/*.json"), key=lambda path: (path.stem, path.parent.name))
    real = [path for path in found if not read(path)[0].get("dry")]
    return real[-1] if real else None


def measured(path: Path | None) -> tuple[str, dict[str, str]]:
    """The text between the marks, and the pictures that it shows."""
    about, items = read(path) if path else (Item(), list[Item]())
    drawn = pictures(Raced.all(items))
    head = [machine(about) if path else NOTHING + "\n"]
    shown = [f"![{name}]({name})\n" for name in drawn]
    return "\n".join([*head, *shown, *sections(items)]) + "\n", drawn


def put(page: str, text: str) -> str:
    """The page with this text between its marks."""
    head, _, rest = page.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}\n\n{text}\n{END}{tail}"


def write() -> None:
    text, drawn = measured(newest())
    PAGE.write_text(put(PAGE.read_text("utf-8"), text), "utf-8")
    for name, picture in drawn.items():
        (PAGE.parent / name).write_text(picture, "utf-8")
