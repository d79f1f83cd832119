"""A process that does jobs: a line of JSON in, a line out. `python -m benchmarks.gpu.worker FOLDER [--dry]`.

It may die of a job. A fault of a kernel spoils the device for the whole process: the answer says so, and
crew.py starts another one.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from pathlib import Path
from typing import TextIO

import torch
import torch._dynamo

from benchmarks.gpu import bench, correct, device, models, tune
from benchmarks.gpu.place import Job, Place, Told

DOES = {
    "correct": correct.right,
    "tune": tune.tuned,
    "warm": lambda job, place: (models if "model" in job else bench).warmed(job, place),
    "bench": bench.raced,
    "models": models.stepped,
}


def main(folder: Path, dry: bool, answers: TextIO) -> None:
    torch._dynamo.config.recompile_limit = 512  # beyond it FlexAttention would silently run uncompiled
    torch._dynamo.config.accumulated_recompile_limit = 4096
    place = Place(folder, torch.device("cpu") if dry else device.device(), dry)
    for line in sys.stdin:
        began, reply = time.perf_counter(), Job()
        torch.compiler.reset()  # what was compiled for another job is in files
        with Told(reply, "error"):
            job: Job = json.loads(line)
            reply["found"] = DOES[job["phase"]](job, place)
        reply["seconds"] = round(time.perf_counter() - began, 3)
        if place.device.type == "cuda":
            gc.collect()  # others share the device's memory
            with Told(reply, "spoilt"):
                torch.cuda.synchronize()
                torch.cuda.empty_cache()
        answers.write(json.dumps(reply) + "\n")
        answers.flush()


if __name__ == "__main__":
    kept = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever libraries print goes to the log
    main(Path(sys.argv[1]), "--dry" in sys.argv, kept)
