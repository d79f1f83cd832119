"""What we export to ONNX against torch, torch.compile and other exporters, in turn in one run, in CPU time.

All run the same model with the same weights and inputs; optimum's only where `make clients` was run.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from onnxruntime.transformers import optimizer

import archspec
from archspec.backends.onnx.quantize import Want
from archspec.exporting.timed import Timed
from archspec.measuring import workloads
from archspec.measuring.bench_files import Prepared
from archspec.reports.account import Account
from archspec.reports.question import Question
from benchmarks import onnx_optimum

Array = np.ndarray[Any, Any]
OPTIMUM = Path(sys.prefix, "clients", "optimum", "bin", "python")


@dataclass(frozen=True)
class Case:
    """A model of the library at sizes. `behind`: tokens in its cache; `kind`: what fusions know it as.

    `task`: what optimum calls what it does.
    """

    spec: str
    sizes: dict[str, int]
    behind: int | None = None
    kind: str | None = None
    task: str | None = None
    graph: str | None = None
    overrides: dict[str, object] = field(default_factory=dict[str, object])


CASES = {
    "bert-b1-s128": Case("bert", {"B": 1, "S": 128}, kind="bert", task="fill-mask"),
    "bert-b8-s128": Case("bert", {"B": 8, "S": 128}, kind="bert", task="fill-mask"),
    "gpt2-s256": Case("gpt2", {"B": 1, "S": 256}, kind="gpt2", task="text-generation"),
    "gpt2-at-256": Case("gpt2", {"B": 1, "S": 257}, behind=256, task="text-generation-with-past"),
    "vit": Case("vit", {"B": 1}, kind="vit", task="image-classification"),
    "t5": Case("t5", {"B": 1, "S": 128, "T": 32}),
    "unet": Case("sd15", {"B": 1, "H": 4, "W": 4, "L": 77}, kind="unet", graph="unet"),
}


@dataclass(frozen=True)
class Row:
    """A contender: one run of it, how many nodes ONNX Runtime runs of it, and how long it took to make."""

    name: str
    call: Callable[[], object]
    nodes: int | None = None
    made: float | None = None


def run(repeats: int, threads: int, names: tuple[str, ...] = tuple(CASES)) -> None:
    torch.set_num_threads(threads)
    for name in names:
        with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
            _show(name, list(_rows(CASES[name], Path(folder), threads)), repeats, threads)


def _show(name: str, rows: list[Row], repeats: int, threads: int) -> None:
    seconds = _in_turn(rows, repeats)
    eager = seconds[rows[0].name]
    print(f"\n{name}, fp32, {threads} thread(s), CPU time, {repeats} rounds")
    print(f"{'':34} {'ms':>9} {'of eager':>9} {'nodes':>6} {'made in':>8}")
    for row in rows:
        own = seconds[row.name]
        ratio = statistics.median(a / b for a, b in zip(eager, own, strict=True))
        made = f"{row.made:7.1f}s" if row.made is not None else ""
        print(
            f"{row.name:34} {statistics.median(own) * 1e3:9.2f} {ratio:8.3f}x {row.nodes or '':>6} {made:>8}",
            flush=True,
        )


def _in_turn(rows: list[Row], repeats: int) -> dict[str, list[float]]:
    """Every row once a round, in turn forwards and backwards, after two rounds that do not count."""
    found: dict[str, list[float]] = {row.name: [] for row in rows}
    for turn in range(repeats + 2):
        for row in rows if turn % 2 else reversed(rows):
            started = time.process_time()
            row.call()
            if turn > 1:
                found[row.name].append(time.process_time() - started)
    return found


def _rows(case: Case, folder: Path, threads: int) -> Iterator[Row]:
    spec = archspec.load(case.spec, graph=case.graph, overrides=case.overrides)
    module: Any = archspec.compile(spec, seed=0)
    question = Question(sizes=case.sizes, past=case.behind, dtype="float32", hardware="cpu")
    prepared = Prepared(module, Account(archspec.lower(spec), question), case.behind)
    eager = _torch(module, prepared)
    yield Row("torch eager", eager)
    yield Row("torch.compile", _torch(_compiled(spec, module), prepared))
    arrays = {name: x.detach().numpy() for name, x in module.state_dict().items()}
    timed = Timed(module.graph, arrays, prepared.case, case.behind)
    given = timed.given(folder / "before")
    for name, want in (("archspec", None), ("archspec int8", Want("int8"))):
        yield _ours(name, timed, folder / name, given, want, threads)
    if case.behind is None:
        yield from _dynamo(case, module, prepared.case.inputs, folder, threads)
    if case.task and OPTIMUM.exists():
        yield _optimum(case, spec, module, given, folder, threads)


def _torch(module: Any, prepared: Prepared) -> Callable[[], object]:
    if prepared.past is None:
        return workloads.forward(module, prepared.part(0, None)).call
    steps = prepared.part(0, prepared.past), prepared.part(prepared.past, 1)
    work = workloads.decoding(module, *steps, prepared.past)

    def call() -> object:
        work.before()
        return work.call()

    return call


def _compiled(spec: Any, module: Any) -> Any:
    twin: Any = archspec.compile(spec, seed=0)
    twin.compile()
    return twin


def _ours(
    name: str, timed: Timed, folder: Path, given: Mapping[str, Array], want: Want | None, threads: int
) -> Row:
    folder.mkdir()
    started = time.perf_counter()
    timed.write(folder, given, want)
    return _session(name, folder / "model.onnx", given, threads, time.perf_counter() - started)


def _dynamo(
    case: Case, module: Any, inputs: Mapping[str, Array], folder: Path, threads: int
) -> Iterator[Row]:
    """torch.onnx at two opsets, and the older one after ONNX Runtime's fusions for such a model."""
    given = {name: torch.from_numpy(array) for name, array in inputs.items()}
    for opset in (23, 18):
        file = folder / f"dynamo-{opset}.onnx"
        started = time.perf_counter()
        torch.onnx.export(
            module,
            (),
            file,
            kwargs=given,
            input_names=list(given),
            opset_version=opset,
            dynamo=True,
            verbose=False,
        )
        made = time.perf_counter() - started
        yield _session(f"dynamo, opset {opset}", file, inputs, threads, made)
    if case.kind:
        fused = optimizer.optimize_model(str(folder / "dynamo-18.onnx"), model_type=case.kind, opt_level=0)
        fused.save_model_to_file(str(folder / "fused.onnx"), use_external_data_format=True)
        yield _session("dynamo, opset 18, fusions", folder / "fused.onnx", inputs, threads, None)


def _optimum(
    case: Case, spec: Any, module: Any, given: Mapping[str, Array], folder: Path, threads: int
) -> Row:
    started = time.perf_counter()
    archspec.export_hf(module, spec, folder / "hub")
    command = [
        str(OPTIMUM),
        "-P",
        str(Path(onnx_optimum.__file__)),
        str(folder / "hub"),
        str(folder / "o2"),
        str(case.task),
    ]
    subprocess.run(command, check=True, capture_output=True)
    file = next((folder / "o2").glob("*.onnx"))
    return _session("optimum O2", file, given, threads, time.perf_counter() - started)


def _session(name: str, file: Path, given: Mapping[str, Array], threads: int, made: float | None) -> Row:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    options.optimized_model_filepath = str(file.with_suffix(".optimized"))
    apart = "session.optimized_model_external_initializers_file_name"  # such a file may exceed 2 GB
    options.add_session_config_entry(apart, f"{file.stem}.optimized_data")
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    binding = session.io_binding()
    for port in session.get_inputs():
        binding.bind_cpu_input(port.name, _fed(port, given))
    for port in session.get_outputs():
        binding.bind_output(port.name)
    nodes = onnx.load(options.optimized_model_filepath, load_external_data=False).graph.node
    print(f"  {name}: {dict(Counter(node.op_type for node in nodes).most_common(12))}", file=sys.stderr)
    return Row(name, lambda: session.run_with_iobinding(binding), len(nodes), made)


def _fed(port: Any, given: Mapping[str, Array]) -> Array:
    """What we give by the same name; else a mask of ones, positions, or zeros for ids of segments."""
    if port.name in given:
        return np.ascontiguousarray(given[port.name])
    ids = given["input_ids"]
    past = next((x.shape[2] for name, x in given.items() if name.startswith("past_key_values")), 0)
    if port.name == "attention_mask":
        return np.ones((len(ids), past + ids.shape[1]), np.int64)
    if port.name == "position_ids":
        return np.arange(past, past + ids.shape[1])[None].repeat(len(ids), 0)
    assert port.name == "token_type_ids", port.name
    return np.zeros_like(ids)


def main() -> None:
    """`python -m benchmarks.onnx [REPEATS [CASE …]]`"""
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    run(repeats, 1, tuple(sys.argv[2:]) or tuple(CASES))


if __name__ == "__main__":
    main()
