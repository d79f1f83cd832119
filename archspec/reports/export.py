"""What an export wrote, what runs it, and how far it is from the reference."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from msgspec import Struct, to_builtins

from archspec.backends.base import Lowered, Unsupported
from archspec.backends.onnx.compare import REASONS, SMALLEST, Difference
from archspec.backends.onnx.ops import RULES
from archspec.backends.onnx.profile import Profile
from archspec.backends.onnx.save import Written
from archspec.ir.graph import Apply, Graph, Region
from archspec.ir.op import Op
from archspec.reports.table import Row, Table, shown


class Check(Struct, frozen=True):
    """One case: its sizes, and the differences of its outputs."""

    sizes: Mapping[str, int]
    differences: tuple[Difference, ...]

    @property
    def holds(self) -> bool:
        return all(each.holds for each in self.differences)

    @property
    def worst(self) -> Difference:
        """The output that is nearest to its tolerance, or furthest beyond."""
        return max(
            self.differences, key=lambda each: each.found / each.allowed if each.holds else float("inf")
        )


class Exported(Struct, frozen=True):
    """What was written to `folder`, by the file of each model. `checks` are empty where not verified.

    `providers` ran the checks, the one that was asked for first.
    """

    folder: str
    profile: Profile
    models: Mapping[str, Written]
    checks: tuple[Check, ...] = ()
    providers: tuple[str, ...] = ()
    tolerance: float = 0.0
    stored: str = "float32"

    def record(self) -> dict[str, object]:
        """Plain data."""
        checks = [
            {"sizes": dict(check.sizes), "differences": to_builtins(check.differences), "holds": check.holds}
            for check in self.checks
        ]
        plain: dict[str, object] = to_builtins(self)
        return {**plain, "checks": checks}


def export_tables(exported: Exported) -> list[Table]:
    """A table for each file, and one of the checks."""
    return [*(_model(name, each) for name, each in exported.models.items()), _checks(exported)]


def _model(name: str, written: Written) -> Table:
    rows = [
        Row("size", (shown(written.size, "B"),)),
        *([Row("left in the checkpoint", (shown(written.held, "B"),))] if written.held else []),
        Row("opset", (str(written.opset),)),
        Row("nodes", (shown(written.nodes, ""),)),
        *(Row("inputs" if i == 0 else "", (str(port),)) for i, port in enumerate(_listed(written.inputs))),
        *(Row("outputs" if i == 0 else "", (str(port),)) for i, port in enumerate(_listed(written.outputs))),
    ]
    return Table(", ".join(written.files) or name, tuple(rows))


def _listed(ports: tuple[object, ...], most: int = 6) -> Iterator[object]:
    """The first ports, and how many more there are."""
    yield from ports[:most]
    if len(ports) > most:
        yield f"and {len(ports) - most} more, of state"


def _checks(exported: Exported) -> Table:
    if not exported.checks:
        return Table("not verified", (), notes=("nothing was run: --no-verify",))
    rows = [
        Row(
            " ".join(f"{name}={size}" for name, size in check.sizes.items()) or f"case {i + 1}",
            _compared(check.worst),
        )
        for i, check in enumerate(exported.checks)
    ]
    notes = [f"allowed is {exported.tolerance:g} of an output's largest number: {REASONS[exported.stored]}"]
    empty = {
        each.output for check in exported.checks for each in check.differences if each.largest < SMALLEST
    }
    if empty:
        notes.append(f"with these weights {', '.join(sorted(empty))} is nearly zero, so that little is shown")
    title = f"verified on {', '.join(exported.providers)}"
    return Table(title, tuple(rows), ("largest difference", "tolerance", "cosine", "output"), tuple(notes))


def _compared(worst: Difference) -> tuple[str, str, str, str]:
    return f"{worst.found:.2g}", f"{worst.allowed:.2g}", f"{worst.cosine:.6f}", worst.output


def verdict_table(graph: Graph, profile: Profile) -> Table:
    """How ONNX is written for each operation of a graph: by a rule, taken apart first, or not at all."""
    counts = Counter(kind for region in _regions(graph) for kind in _kinds(region))
    rows = tuple(
        Row(kind.name, (count, *_verdict(kind))) for kind, count in sorted(counts.items(), key=_name)
    )
    title = f"{graph.name} in ONNX: {profile.name}, opset {profile.opset}"
    return Table(title, rows, ("places", "verdict", "reason"))


def _name(item: tuple[type[Op], int]) -> str:
    return item[0].name


def _verdict(kind: type[Op]) -> tuple[str, str]:
    match RULES.verdict(kind):
        case Lowered(by=by):
            return "lowered", by
        case Unsupported(reason=reason):
            return "unsupported", reason
        case _:
            return "rule", ""


def _regions(graph: Graph) -> Iterator[Region]:
    for region in (graph.root, graph.defaults):
        if region is not None:
            yield from _inside(region)


def _inside(region: Region) -> Iterator[Region]:
    yield region
    for node in region.nodes:
        for inner in node.regions:
            yield from _inside(inner)


def _kinds(region: Region) -> Iterator[type[Op]]:
    return (type(node.op) for node in region.nodes if isinstance(node, Apply))
