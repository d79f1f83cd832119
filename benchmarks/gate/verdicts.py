"""What is wrong with a compiled kernel, and the table of all of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from benchmarks.gate.jobs import TARGETS, WITHOUT_PRODUCTS, Job

COLUMNS = {"registers": 9, "shared": 7, "stack": 5, "matrix": 6, "local": 5}
HEADER = " ".join(
    [f"{'configuration':66}", *(f"{x:>{width}}" for x, width in COLUMNS.items()), "    s  verdict"]
)


def faults(job: Job, found: Mapping[str, Any]) -> list[str]:
    """Why a configuration may not be chosen; nothing where it may."""
    if "error" in found:
        return [str(found["error"])[-160:].replace("\n", " ")]
    wrong: list[str] = []
    if found["shared"] > TARGETS[job.target].shared:
        wrong.append(f"{found['shared']} bytes of shared memory, of {TARGETS[job.target].shared}")
    if found["matrix"] == 0 and job.kernel not in WITHOUT_PRODUCTS:
        wrong.append("no matrix instructions")
    if found["local"]:
        wrong.append(f"{found['local']} accesses of local memory in loops")
    if job.tiles.special and not found["special"]:
        wrong.append("not specialised")
    return wrong


def line(job: Job, found: Mapping[str, Any]) -> str:
    """A row of the table."""
    wrong = "; ".join(faults(job, found)) or "good"
    if "error" in found:
        return f"{job.name:66} {wrong}"
    numbers = " ".join(f"{found[x]:>{width}}" for x, width in COLUMNS.items())
    special = " (specialised)" if found["special"] else ""
    return f"{job.name:66} {numbers} {found['seconds']:5.1f}  {wrong}{special}"


def summary(rows: Iterable[tuple[Job, Mapping[str, Any]]]) -> str:
    """Per target: configurations compiled, failures, those with local memory in a loop; chosen ones first."""
    known = list(rows)
    out = [f"{'target':8} {'':10} {'compiled':>8} {'failed':>6} {'spilling':>8} {'good':>5}"]
    for target in dict.fromkeys(job.target for job, _ in known):
        for chosen, word in ((True, "chosen"), (False, "candidates")):
            own = [(job, found) for job, found in known if job.target == target and job.chosen == chosen]
            if own:
                failed = sum("error" in found for _, found in own)
                spilling = sum(bool(found.get("local")) for _, found in own)
                good = sum(not faults(job, found) for job, found in own)
                out.append(f"{target:8} {word:10} {len(own):8} {failed:6} {spilling:8} {good:5}")
    return "\n".join(out)
