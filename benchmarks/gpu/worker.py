"""A process that does jobs: a line of JSON in, a line out. `python -m benchmarks.gpu.worker FOLDER [--dry]`.

It may die of a job. A fault of a kernel spoils the device for the whole process: the answer says so, and crew.py
starts another one.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import TextIO

import torch

from benchmarks.gpu import bench, correct, device, models, tune
from benchmarks.gpu.place import Job, Place, Told

DOES = {
    "correct": correct.right,
    "tune": tune.tuned,
    "warm": lambda job, place: (models if "model" in job else bench).warmed(job, place),
    "bench": bench.raced,
    "models": models.stepped,
}
BROKEN = os.environ.get("ARCHSPEC_BREAK", "")  # tests: the case or model whose jobs fail


def main(folder: Path, dry: bool, answers: TextIO) -> None:
    place = Place(folder, torch.device("cpu") if dry else device.device(), dry)
    for line in sys.stdin:
        began, reply = time.perf_counter(), Job()
        with Told(reply, "error"):
            reply["found"] = _done(json.loads(line), place)
        reply["seconds"] = round(time.perf_counter() - began, 3)
        if "error" in reply and place.device.type == "cuda":
            with Told(reply, "spoilt"):
                torch.cuda.synchronize()
                torch.cuda.empty_cache()
        answers.write(json.dumps(reply) + "\n")
        answers.flush()


def _done(job: Job, place: Place) -> Job:
    if BROKEN and BROKEN in (job.get("case"), job.get("model")):
        raise RuntimeError("broken on purpose")
    return DOES[job["phase"]](job, place)


if __name__ == "__main__":
    kept = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever libraries print goes to the log
    main(Path(sys.argv[1]), "--dry" in sys.argv, kept)
