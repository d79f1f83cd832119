"""What is installed that models run on, and which packages overwrote each other's files. Imports none."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path

from msgspec import Struct, to_builtins

PACKAGES = ("torch", "triton", "numpy", "ml-dtypes", "safetensors", "onnx", "onnx-ir", "pygraphviz")
RUNTIMES = (
    "onnxruntime",
    "onnxruntime-gpu",
    "onnxruntime-directml",
    "onnxruntime-openvino",
    "onnxruntime-qnn",
)
CLASHES: tuple[tuple[str, tuple[str, ...], str], ...] = (
    (
        "onnxruntime",
        RUNTIMES,
        "pip uninstall -y {all} && pip install 'archspec-compiler[onnx]' (with a GPU: [gpu])",
    ),
    (
        "archspec",
        ("archspec-compiler", "archspec"),
        "pip uninstall -y {all} && pip install archspec-compiler",
    ),
)
"""Distributions of which at most one can be installed: they own the files of one import name."""
PROBE = "import onnxruntime as o; print(*o.get_available_providers())"
SECONDS = 30


class Finding(Struct, frozen=True):
    """Something to repair, and how."""

    message: str
    hint: str


class Report(Struct, frozen=True):
    """What there is, by name, None for what is not; and what of it is broken."""

    versions: Mapping[str, str | None]
    providers: tuple[str, ...]
    gpus: tuple[str, ...]
    findings: tuple[Finding, ...]

    def record(self) -> dict[str, object]:
        """Plain data."""
        return to_builtins(self)

    def __str__(self) -> str:
        lines = [f"{name:22} {version or 'not installed'}" for name, version in self.versions.items()]
        lines += [f"{'providers':22} {', '.join(self.providers) or 'none'}"]
        lines += [f"{'GPU':22} {', '.join(self.gpus) or 'none found'}"]
        lines += [f"\nbroken: {each.message}\n  = help: {each.hint}" for each in self.findings]
        return "\n".join(lines if self.findings else [*lines, "\nnothing is broken"])


def examine() -> Report:
    """Looks at metadata and files of packages; ONNX Runtime and the driver run as processes of their own."""
    versions = {
        "python": platform.python_version(),
        **{name: version(name) for name in (*PACKAGES, *RUNTIMES[:2])},
    }
    versions["graphviz"] = _said(("dot", "-V"))
    findings = [*clashes(), *damaged()]
    providers = _said((sys.executable, "-c", PROBE)) if any(map(version, RUNTIMES)) else None
    if providers is None and any(map(version, RUNTIMES)) and not findings:
        findings.append(
            Finding("ONNX Runtime is installed, but cannot be imported", _repair(CLASHES[0], RUNTIMES[:2]))
        )
    gpus = _said(("nvidia-smi", "--query-gpu=name", "--format=csv,noheader"))
    return Report(
        versions, tuple((providers or "").split()), tuple((gpus or "").splitlines()), tuple(findings)
    )


def version(name: str) -> str | None:
    """The version of an installed distribution."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def clashes() -> Iterator[Finding]:
    """Distributions that own the same files."""
    for clash in CLASHES:
        there = [name for name in clash[1] if version(name)]
        if len(there) > 1:
            message = (
                f"{' and '.join(there)} own the same files, those of '{clash[0]}': one overwrote the other"
            )
            yield Finding(message, _repair(clash, there))


def damaged() -> Iterator[Finding]:
    """A runtime some of whose files are gone: uninstalling another one took them away."""
    for name in RUNTIMES:
        gone = [str(path) for path in _files(name) if not path.exists()]
        if gone:
            message = f"{len(gone)} files of {name} are gone, {Path(gone[0]).name} among them"
            yield Finding(message, _repair(CLASHES[0], [name]))


def _files(name: str) -> Sequence[Path]:
    """Where a distribution's own files should be; what Python compiles by itself is not among them."""
    try:
        files: Iterable[metadata.PackagePath] = metadata.distribution(name).files or ()
    except metadata.PackageNotFoundError:
        return ()
    return [Path(str(file.locate())) for file in files if file.suffix in (".py", ".so", ".pyd", ".dll")]


def _repair(clash: tuple[str, tuple[str, ...], str], names: Iterable[str]) -> str:
    return clash[2].format(all=" ".join(names))


def _said(command: Sequence[str]) -> str | None:
    """The output of a program; None where it is not there, or fails."""
    if shutil.which(command[0]) is None:
        return None
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return (done.stdout or done.stderr).strip() if done.returncode == 0 else None
