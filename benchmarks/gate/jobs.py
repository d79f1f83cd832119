"""Which kernels are compiled for which device, and with what types: jobs for `worker.py`."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import torch

from archspec.backends.torch.kernels.description import Description
from archspec.backends.torch.kernels.module import KernelFile, kernel_file
from archspec.backends.torch.runtime.load import module_from_source
from benchmarks.gate.structures import STRUCTURES
from benchmarks.gpu.candidates import WIDE

ROWS = ("q", "k", "v", "out", "grad", "dq", "dk", "dv", "sinks")  # in the type of the operands
SUMS = ("lse", "delta", "sums", "parts", "peaks", "totals")  # in fp32
NUMBERS = ("cap", "dropout", "scale")
LOOKED = {"bool": "*i1", "int": "*i64", "float": "*bf16"}
TRIED = ("forward", "backward_queries", "backward_keys")  # with all their candidates
WITHOUT_PRODUCTS = {"row_sums": "backward_queries", "combine": "decode"}  # with the tiles of which kernel


class Target(NamedTuple):
    """A device: how Triton names it, its row in the table of tiles, a program's shared memory in bytes."""

    backend: tuple[str, int | str, int]
    row: int
    shared: int


TARGETS = {
    "sm_80": Target(("cuda", 80, 32), 80, 163 << 10),
    "sm_86": Target(("cuda", 86, 32), 86, 99 << 10),
    "sm_90": Target(("cuda", 90, 32), 90, 227 << 10),
    "sm_100": Target(("cuda", 100, 32), 100, 227 << 10),
    "sm_120": Target(("cuda", 120, 32), 120, 99 << 10),
    "gfx942": Target(("hip", "gfx942", 64), 0, 64 << 10),
}


class Job(NamedTuple):
    """A kernel of a structure on a target, with its tiles; `chosen`: as the table has it."""

    structure: str
    kernel: str
    target: str
    width: int
    tiles: Any
    chosen: bool

    @property
    def name(self) -> str:
        return " ".join([self.structure, self.kernel, self.target, f"d{self.width}", spelt(self.tiles)])


def spelt(tiles: Any) -> str:
    """`128x64 w8 s3 tma`."""
    further = [word for word in ("tma", "one_loop", "special") if getattr(tiles, word)]
    return " ".join([f"{tiles.M}x{tiles.N} w{tiles.warps} s{tiles.stages}", *further])


class Generated(NamedTuple):
    """A structure's file: its module, the text of its kernels alone, and these with their parameters."""

    module: ModuleType
    text: str
    kernels: dict[str, dict[str, bool]]


@cache
def generated(structure: str) -> Generated:
    """Of a structure; `kernels` says of each parameter whether it is a constant."""
    file = kernel_file(STRUCTURES[structure])
    return Generated(module_from_source(file.text, file.name), device_text(file), _kernels(file))


def device_text(file: KernelFile) -> str:
    """The part that runs on a device, which needs no torch."""
    lines = file.text.splitlines()
    kept = (node for node in ast.parse(file.text).body if _on_device(node))
    return "\n\n\n".join("\n".join(lines[_first(node) - 1 : node.end_lineno]) for node in kept) + "\n"


def _on_device(node: ast.stmt) -> bool:
    match node:
        case ast.Import(names=[ast.alias(name=name)]):
            return name.startswith("triton")
        case ast.FunctionDef(decorator_list=[decorator, *_]):
            return ast.unparse(decorator).startswith("triton.jit")
        case ast.Assign(value=ast.Call(func=function)):
            return ast.unparse(function) == "tl.constexpr"
        case _:
            return False


def _first(node: ast.stmt) -> int:
    decorators = node.decorator_list if isinstance(node, ast.FunctionDef) else []
    return min([node.lineno, *(x.lineno for x in decorators)])


def _kernels(file: KernelFile) -> dict[str, dict[str, bool]]:
    """Functions that are launched: `name[grid](...)`."""
    tree = ast.parse(file.text)
    called = [
        x.func.value for x in ast.walk(tree) if isinstance(x, ast.Call) and isinstance(x.func, ast.Subscript)
    ]
    launched = {x.id for x in called if isinstance(x, ast.Name)}
    functions = [x for x in tree.body if isinstance(x, ast.FunctionDef) and x.name in launched]
    return {x.name: {p.arg: p.annotation is not None for p in x.args.args} for x in functions}


def chosen(structure: str, target: str, width: int) -> Iterator[Job]:
    """The kernels of a structure with the tiles of its table."""
    made = generated(structure)
    for kernel in made.kernels:
        row = WITHOUT_PRODUCTS.get(kernel, kernel)
        yield Job(structure, kernel, target, width, made.module.chosen(row, TARGETS[target].row, width), True)


def candidates(structure: str, target: str, width: int) -> Iterator[Job]:
    """The same with the tiles that a GPU would try for its table."""
    made = generated(structure)
    for kernel in TRIED:
        if kernel in made.kernels and target == "sm_90":
            taken = made.module.chosen(kernel, TARGETS[target].row, width)
            others = [made.module.Tiles(*x[:4], *map(bool, x[4:])) for x in WIDE[kernel]]
            yield from (Job(structure, kernel, target, width, x, False) for x in others if x != taken)


def written(job: Job, folder: Path) -> dict[str, Any]:
    """The job as `worker.py` reads it, with its file in `folder`."""
    made, given = generated(job.structure), STRUCTURES[job.structure]
    path = folder / f"{job.structure}.py"
    if not path.exists():
        path.write_text(made.text)
    parameters = made.kernels[job.kernel]
    values = _values(made.module, job)
    types = {name: "constexpr" if constant else _type(given, name) for name, constant in parameters.items()}
    constants: dict[str, Any] = {name: values[name] for name, constant in parameters.items() if constant}
    fixed = {x.steps[-1]: 1 for x in given.tensors if x.steps[-1] in types}
    if job.kernel == "decode":
        fixed |= {"dropout": None} if "dropout" in types else {}
    if job.kernel == "backward_keys" and job.tiles.special:
        fixed["group"] = 1  # the only case that the host code starts
    steps = [step for x in given.tensors for step in x.steps]
    aligned = [
        name for name, kind in types.items() if kind.startswith("*") or name[-2:] in ("_b", "_h", "_s")
    ]
    return {
        "name": job.name, "file": str(path), "kernel": job.kernel, "target": TARGETS[job.target].backend,
        "signature": types | dict.fromkeys(fixed, "constexpr"), "constants": constants | fixed,
        "aligned": [*aligned, *(x for x in steps if x in types and x not in fixed)],
        "options": {"num_warps": values["num_warps"], "num_stages": values["num_stages"]},
    }  # fmt: skip


def _values(module: ModuleType, job: Job) -> dict[str, Any]:
    """What the file's own host code would compile for."""
    x = torch.empty(1, 1, 16, job.width, dtype=torch.bfloat16, device="meta")
    walks = {walk for _, walk, _ in getattr(module, "LOOKUPS", ())}
    learned = {"LOOKUP": 0} | {
        f"BY_{word.upper()}": word in walks for word in ("query", "key", "distance", "pair")
    }
    hints = {"ONE_LOOP": job.tiles.one_loop, "SPECIAL": job.tiles.special, "SHARES": 16}
    fast = {"FAST": TARGETS[job.target].backend[0] == "cuda"}
    return {**learned, **hints, **module.widths(x, x, job.tiles), **fast}


def _type(given: Description, name: str) -> str:
    """Of a parameter: strides, sizes and places are i32."""
    looked = {x.word: LOOKED[x.kind] for x in given.tensors}
    own = {word: "i32" if kind == "int" else "fp32" for word, kind in given.numbers}
    fixed = dict.fromkeys(ROWS, "*bf16") | dict.fromkeys(SUMS, "*fp32") | dict.fromkeys(NUMBERS, "fp32")
    return {"seed": "*i64", **fixed, **looked, **own}.get(name, "i32")


def jobs(
    structures: Sequence[str], targets: Sequence[str], widths: Sequence[int], further: bool
) -> list[Job]:
    """The jobs of a run: the tables' choices, and with `further` the candidates."""
    cases = [(x, target, width) for target in targets for width in widths for x in structures]
    found = [job for case in cases for job in chosen(*case)]
    return found + ([job for case in cases for job in candidates(*case)] if further else [])
