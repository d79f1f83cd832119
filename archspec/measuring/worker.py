"""A process that holds one model under one runtime, and runs it whenever it is told to.

`python -m archspec.measuring.worker RUNTIME FOLDER THREADS`. It says `{}` once it is ready, and then answers
each line of stdin by a line of JSON: `run` by `{"seconds": …}`, `end` by `{"memory": bytes}`.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from time import perf_counter

from archspec.measuring import resident

HELD = {
    "torch": "held_torch",
    "torch.compile": "held_torch",
    "onnxruntime": "held_onnx",
    "onnxruntime-int8": "held_onnx",
}
FIRST = "first.npz"  # what the first run gave, in the folder of the model


def main() -> None:
    """Holds the model until stdin ends."""
    runtime, folder, threads = sys.argv[1:4]
    answers = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)  # whatever a library prints must not be taken for an answer

    def say(**answer: object) -> None:
        answers.write(json.dumps(answer) + "\n")
        answers.flush()

    holder = import_module(f"archspec.measuring.{HELD[runtime]}")  # lazy: a process holds one runtime
    run: Callable[[], object] = holder.hold(runtime, Path(folder), int(threads))
    resident.set_mark_back()
    say()
    for line in sys.stdin:
        if line.strip() == "end":
            say(memory=resident.highest())
            return
        started = perf_counter()
        run()
        say(seconds=perf_counter() - started)


if __name__ == "__main__":
    main()
