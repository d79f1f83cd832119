"""The tables of a run: as Markdown, for the screen and for the page."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence

from benchmarks.gpu.candidates import row
from benchmarks.gpu.goals import GOALS, MODELS, beside_flex, mean
from benchmarks.gpu.record import Item
from benchmarks.gpu.results import Raced

UNKNOWN = "not measured"
Rows = list[list[str]]


def report(about: Item, items: Sequence[Item]) -> str:
    """Everything, with the rows for the kernels' table."""
    parts = [
        machine(about),
        *sections(items),
        "\n## Rows for the kernels' table\n",
        *table_rows(about),
        "\n## Tiles\n",
        tiles(about, items),
        *counts(items),
    ]
    return "\n".join(parts)


def sections(items: Sequence[Item]) -> list[str]:
    """Headings and tables, `UNKNOWN` wherever nothing was measured."""
    raced = Raced.all(items)
    return [
        "### Goals\n",
        goals(raced, items),
        "\n### Forward, TFLOP/s\n",
        speeds(raced, "forward"),
        "\n### Backward, TFLOP/s\n",
        speeds(raced, "backward"),
        "\n### Decoding, GB/s of keys and values\n",
        decoding(raced),
        "\n### Peak memory, MB beside operands\n",
        memory(raced),
        "\n### Whole models, milliseconds\n",
        models(items),
    ]


def machine(about: Item) -> str:
    versions = ", ".join(f"{word} {x}" for word, x in about.get("versions", {}).items() if x)
    said = f"{about.get('device')}, {about.get('date')}; driver {about.get('driver')}; {versions}."
    return f"{said} Clocks before and after: {'; '.join(map(str, about.get('clocks', [])))}\n"


def markdown(head: Sequence[str], rows: Rows) -> str:
    """A table; `UNKNOWN` for one without rows."""
    if not rows:
        return UNKNOWN
    lines = [list(head), ["---"] + ["--:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def number(value: float | None, digits: int = 0) -> str:
    return "" if value is None else f"{value:,.{digits}f}"


def goals(raced: Iterable[Raced], items: Sequence[Item] = ()) -> str:
    """Each goal with what was reached, then the ratios to FlexAttention and those of whole models."""
    known = {each.case.name: each for each in raced}
    rows: Rows = []
    for goal in GOALS:
        found = goal.reached(known[goal.case]) if goal.case in known else None
        digits = 2 if goal.must < 10 else 0
        reached = (
            UNKNOWN if found is None else number(found, digits) + ("" if found >= goal.must else " (missed)")
        )
        asked = [number(goal.must, digits), number(goal.stretch, digits)]
        rows.append([f"{goal.case}, {goal.direction}, {goal.unit}", *asked, reached])
    for direction in ("forward", "backward"):
        rows += _beside_flex(list(known.values()), direction)
    rows += [_step(model, peer, items) for model, peer in MODELS.items()]
    return markdown(["goal", "must", "stretch", "reached"], rows)


def _step(model: str, peer: str, items: Iterable[Item]) -> list[str]:
    """How many times as fast a step is."""
    own = [x for x in items if x["phase"] == "models" and x["model"] == model and "found" in x]
    rounds = own[0]["found"]["ms"].get("step", {}) if own else {}
    times = [statistics.median(rounds[way]) for way in (peer, "triton") if rounds.get(way)]
    ratio = times[0] / times[1] if len(times) == 2 else None
    reached = UNKNOWN if ratio is None else number(ratio, 2) + ("" if ratio >= 1 else " (missed)")
    return [f"{model}, step, times {peer}", "1.00", "", reached]


def _beside_flex(raced: list[Raced], direction: str) -> Rows:
    ratios = beside_flex(raced, direction)
    least, middle = min(ratios.values(), default=None), mean(ratios.values())
    said = [UNKNOWN if x is None else number(x, 2) for x in (least, middle)]
    return [
        [f"every case, {direction}, times flex: the least", "1.00", "", said[0]],
        [f"every case, {direction}, times flex: geometric mean", "", "1.15", said[1]],
    ]


def ways(raced: Iterable[Raced]) -> list[str]:
    return list(dict.fromkeys(way for each in raced for way in each.ways()))


def speeds(raced: Sequence[Raced], direction: str) -> str:
    """TFLOP/s of pairs that count, also of the dense causal ways, which compute more of them."""
    chosen = [each for each in raced if not each.case.decodes and each.ways(direction)]
    columns = ways(chosen)

    def tera(each: Raced, way: str) -> str:
        found = each.flops_a_second(way, direction)
        return "" if found is None else number(found / 1e12)

    rows = [[each.case.name, *(tera(each, way) for way in columns)] for each in chosen]
    return markdown(["case", *columns], rows)


def decoding(raced: Sequence[Raced]) -> str:
    chosen = [each for each in raced if each.case.decodes]
    columns = ways(chosen)

    def giga(each: Raced, way: str) -> str:
        found = each.bytes_a_second(way)
        return "" if found is None else number(found / 1e9)

    return markdown(["case", *columns], [[x.case.name, *(giga(x, way) for way in columns)] for x in chosen])


def memory(raced: Sequence[Raced]) -> str:
    chosen = [each for each in raced if any(each.megabytes(way) is not None for way in each.ways())]
    columns = ways(chosen)
    rows = [[x.case.name, *(number(x.megabytes(way)) for way in columns)] for x in chosen]
    return markdown(["case", *columns], rows)


def models(items: Iterable[Item]) -> str:
    """Forward, and forward with backward; a peak in MB behind each."""
    found = [item for item in items if item["phase"] == "models" and "found" in item]
    rows: Rows = []
    for item in found:
        for way, rounds in item["found"]["ms"].get("step", {}).items():
            ahead = item["found"]["ms"].get("forward", {}).get(way)
            times = [number(statistics.median(x), 2) if x else "" for x in (ahead, rounds)]
            peak = item["found"]["bytes"].get(way)
            rows.append([item["model"], way, *times, "" if peak is None else number(peak / 1e6)])
    return markdown(["model", "attention", "forward", "step", "peak MB"], rows)


def table_rows(about: Item) -> list[str]:
    """What to paste into TABLE of template/launch.py. A width without a row takes the next wider one's."""
    major, minor = about.get("capability", [8, 0])
    found = about.get("rows", [])
    return [row(kernel, 10 * major + minor, width, tuple(tiles)) for kernel, width, tiles in found] or [
        UNKNOWN
    ]


def tiles(about: Item, items: Iterable[Item]) -> str:
    """Of each case and kernel: the tiles that are best for it alone, and what the table's cost."""
    chosen = {(kernel, width): tuple(found) for kernel, width, found in about.get("rows", [])}
    times: dict[tuple[str, str, int], dict[tuple[int, ...], float]] = {}
    for item in items:
        if item["phase"] == "tune" and "found" in item:
            ((kernel, width, found),) = item["rows"]
            times.setdefault((item["case"], kernel, width), {})[tuple(found)] = item["found"]["ms"]
    rows: Rows = []
    for (case, kernel, width), found in times.items():
        best = min(found, key=lambda x: found[x])
        taken = found.get(chosen.get((kernel, width), best))
        cost = number(None if taken is None else taken / found[best], 3)
        rows.append([case, kernel, " ".join(map(str, best)), number(found[best], 3), cost])
    return markdown(["case", "kernel", "best tiles", "ms", "the table's, times"], rows)


def counts(items: Iterable[Item]) -> list[str]:
    """How much of each phase there is."""
    known = list(items)
    found = ["", "## Items"]
    for phase in dict.fromkeys(item["phase"] for item in known):
        own = [item for item in known if item["phase"] == phase]
        skipped = sum(bool(item.get("skipped")) for item in own)
        failed = sum("error" in item for item in own) - skipped
        wrong = sum(item.get("found", {}).get("right") is False for item in own)
        found.append(
            f"{phase}: {len(own)} items, {failed} failed, {wrong} wrong, {skipped} for which no time was left"
        )
    return found
