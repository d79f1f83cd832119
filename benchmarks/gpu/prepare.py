"""The first stage, with archspec: the kernels of every case and the models, for a machine without it."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import archspec
from archspec.backends.torch.kernels.description import Description, Kind, Looked
from archspec.backends.torch.kernels.module import kernel_file
from archspec.backends.torch.kernels.taken import is_taken
from archspec.dims.num import num
from archspec.dims.parse import parse
from archspec.errors import UnsupportedError
from archspec.ir.tiles.plan import plan
from archspec.spec.spec import Spec
from archspec.views.resolved import digest
from benchmarks.gpu.candidates import KERNELS
from benchmarks.gpu.cases import CASES, DRY, Case
from benchmarks.gpu.models import ATTENTIONS, MODELS, Model


def description(case: Case) -> Description:
    """Raises ValueError for words that a generated file needs."""
    taken = [word for word in (*case.numbers, *case.tables) if is_taken(word)]
    if taken:
        raise ValueError(f"case '{case.name}': other words than {', '.join(taken)}")
    numbers = {word: num(value) for word, value in case.numbers.items()}
    tables = tuple(Looked(word, len(t.axes), _kind(t.kind)) for word, t in case.tables.items())
    rule = parse(case.rule) if case.rule else None
    return Description(
        plan(rule, numbers, {x.word for x in tables}),
        parse(case.score) if case.score else None,
        tables,
        tuple((word, "int") for word in numbers),
        case.cap is not None,
        case.sunk,
    )


def _kind(word: str) -> Kind:
    return "bool" if word == "bool" else "int" if word == "int" else "float"


def prepare(folder: Path, dry: bool = False, wanted: Iterable[str] = ()) -> None:
    """Writes `kernels/`, `models/` and `cases.json`; of a rehearsal only what that runs."""
    names = [*wanted] or (
        [*DRY, *(name for name, x in MODELS.items() if x.tiny)] if dry else [*CASES, *MODELS]
    )
    (folder / "kernels").mkdir(parents=True, exist_ok=True)
    cases = {name: _case(CASES[name], folder / "kernels") for name in names if name in CASES}
    models = {name: _model(MODELS[name], folder) for name in names if name in MODELS}
    whole = {"of": f"archspec {archspec.__version__}", "cases": cases, "models": models}
    (folder / "cases.json").write_text(json.dumps(whole, indent=1) + "\n", "utf-8")


def _case(case: Case, folder: Path) -> dict[str, Any]:
    file = kernel_file(description(case))
    (folder / f"{file.name}.py").write_text(file.text, "utf-8")
    kernels = [x for x in KERNELS if re.search(rf"^def {x}\(", file.text, re.MULTILINE)]
    return {"file": f"{file.name}.py", "kernels": kernels, "rule": case.rule, "score": case.score}


def _model(model: Model, folder: Path) -> dict[str, Any]:
    spec = archspec.load(model.spec, preset=model.preset, graph=model.graph)
    for name, text in (kernels := archspec.kernels(spec)).items():
        (folder / "kernels" / name).write_text(text, "utf-8")
    own = folder / "models" / model.spec
    own.mkdir(parents=True, exist_ok=True)
    texts = dict(_sources(spec))
    for attention, text in texts.items():
        (own / f"{attention}.py").write_text(text, "utf-8")
    return {
        "folder": model.spec, "attentions": [*texts], "kernels": [*kernels], "class": _class(texts["sdpa"]),
        "spec": digest(spec),
    }  # fmt: skip


def _sources(spec: Spec) -> Iterable[tuple[str, str]]:
    """Of each implementation that the model has."""
    for attention in ATTENTIONS:
        try:
            yield attention, archspec.source(spec, attention=attention)
        except UnsupportedError as error:
            print(f"{spec.name} with {attention}: {error}")


def _class(text: str) -> str:
    """What a module exports."""
    found = [
        x.value
        for x in ast.parse(text).body
        if isinstance(x, ast.Assign) and ast.unparse(x.targets[0]) == "__all__"
    ]
    return ast.literal_eval(found[0])[0]
