"""Compiles kernels and measures the machine code: a job (JSON) a line in, a finding (JSON) a line out.

Runs with nothing but Triton and the standard library, so that any of its versions can be asked:
`python -m benchmarks.gate.worker`, in a process that never runs the interpreter.
"""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
import tempfile
import time
from functools import cache
from pathlib import Path
from typing import Any

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from benchmarks.gate.machine_code import amdgcn, matrix_loops, sass


@cache
def module(path: str) -> Any:
    """A file of kernels, imported."""
    spec = importlib.util.spec_from_file_location(Path(path).stem, path)
    assert spec is not None, "a path of a Python file"
    assert spec.loader is not None, "a path of a Python file"
    found = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = found
    spec.loader.exec_module(found)
    return found


def compiled(job: dict[str, Any]) -> Any:
    """The kernel of a job: its `signature`, `constants` and `aligned` parameters by name."""
    kernel = getattr(module(job["file"]), job["kernel"])
    place = {name: (i,) for i, name in enumerate(kernel.arg_names)}
    source = ASTSource(
        fn=kernel,
        signature={name: job["signature"][name] for name in kernel.arg_names},
        constexprs={place[name]: value for name, value in job["constants"].items()},
        attrs={place[name]: [["tt.divisibility", 16]] for name in job["aligned"]},
    )
    return triton.compile(source, target=GPUTarget(*job["target"]), options=job["options"])


def measured(kernel: Any) -> dict[str, int]:
    """Registers, shared memory and stack of a thread in bytes, and what its loops hold."""
    if "amdgcn" in kernel.asm:
        text = kernel.asm["amdgcn"]
        size = {name: int(re.search(rf"\.{key}:\s*(\d+)", text)[1]) for name, key in AMD.items()}
        code = amdgcn(text)
    else:
        usage, listing = (_cuobjdump(kernel.asm["cubin"], flag) for flag in ("-res-usage", "--dump-sass"))
        size = {name: int(re.search(rf"{key}:(\d+)", usage)[1]) for name, key in NVIDIA.items()}
        code = sass(listing)
    loops = matrix_loops(code)
    return {
        **size,
        "shared": kernel.metadata.shared,
        "matrix": sum(x.matrix for x in loops),
        "local": sum(x.local for x in loops),
        "loops": [list(x) for x in loops],
        "special": sum("USETMAXREG" in x.text for x in code),
        "copies": sum(x.text.startswith("UTMALDG") for x in code),
    }


NVIDIA = {"registers": "REG", "stack": "STACK"}
AMD = {"registers": "vgpr_count", "stack": "private_segment_fixed_size"}


def _cuobjdump(cubin: bytes, flag: str) -> str:
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(cubin)
        file.flush()
        tool = triton.knobs.nvidia.cuobjdump.path
        return subprocess.run([tool, flag, file.name], capture_output=True, text=True, check=True).stdout


def finding(job: dict[str, Any]) -> dict[str, Any]:
    """What a job came to; `error` where the compiler refused or broke."""
    began = time.perf_counter()
    try:
        found: dict[str, Any] = measured(compiled(job))
    except Exception as error:  # noqa: BLE001 whatever a compiler raises is what the gate is there to report
        found = {"error": f"{type(error).__name__}: {error}"[-400:]}
    return {"name": job["name"], "seconds": round(time.perf_counter() - began, 2), **found}


def main() -> None:
    """Until the jobs end."""
    for line in sys.stdin:
        print(json.dumps(finding(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
