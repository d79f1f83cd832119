"""The models that are compared: each is one file in `cases/`, which says everything about it."""

import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias, cast

from archspec import library
from archspec.spec.node import plain
from archspec.spec.yaml import load_file

Draw: TypeAlias = dict[str, Any]
Edits: TypeAlias = dict[str, str]


@dataclass(frozen=True, slots=True)
class Case:
    """One set of inputs: the sizes by letter, and how each input is drawn.

    `where` names the mask of the positions that are compared. It is given only where the reference is
    undefined elsewhere: a query that may look at nothing.
    """

    sizes: dict[str, int]
    inputs: dict[str, Draw]
    where: str | None = None


@dataclass(frozen=True, slots=True)
class Loss:
    """`case` gives the inputs, except those that the loss makes itself (`fed`); `inputs` are further ones.

    `theirs`: further arguments of the reference, by our names, or as they are. `moves`: ends of the buffers
    that a step of training moves. `mutants`: edits that give another loss.
    """

    case: str
    theirs: dict[str, str | bool]
    inputs: dict[str, Draw] = field(default_factory=dict[str, Draw])
    fed: list[str] = field(default_factory=list[str])
    moves: list[str] = field(default_factory=list[str])
    mutants: dict[str, Edits] = field(default_factory=dict[str, Edits])


@dataclass(frozen=True, slots=True)
class Decode:
    """What a step reads: a piece of `steps` (the tokens first), the beginning of `grows`, on the last axis.

    `gives`: outputs of a step, [B, tokens, ...]. `generate`: cases that greedy decoding continues.
    `start`: the token that a sequence begins with, where it does not continue a prompt.
    """

    steps: list[str]
    gives: list[str]
    generate: list[str]
    grows: list[str] = field(default_factory=list[str])
    start: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A spec of ours with its params, and the reference class with its config.

    `graph`: the part of the spec that the reference is. `library`: the package of the reference class.
    `arguments`: our inputs to its, where they differ. `outputs`: our outputs to the reference's.
    `attentions`: its attention weights to the paths of our modules that compute them, `*` for the layer, or a
    list in the layers' order; `{}` where it gives none. `gain`: how loud random matrices are where embeddings
    would else drown the layers. `silent`: ends of parameters that cannot change the output, and why.
    `refuses`: attention implementations that cannot build it. `mutants` compute something else; `refused`
    have other parameters, so that no weights fit them. Both are edits of the text of the spec and its parts.
    `graphs: all`: it is traced with each implementation of attention, and compiled through AOT autograd; the
    other models, which emit nothing that none of these does, with one implementation. `looped`: letters of
    sizes that an exported program is for alone, as a loop goes from position to position along them.
    """

    name: str
    spec: str
    reference: str
    config: dict[str, Any]
    params: dict[str, Any]
    outputs: dict[str, str]
    cases: dict[str, Case]
    attentions: dict[str, str | list[str]]
    library: str = "transformers"
    arguments: dict[str, str] = field(default_factory=dict[str, str])
    preset: str | None = None
    graph: str | None = None
    seed: int = 0
    gain: float = 1.0
    silent: dict[str, str] = field(default_factory=dict[str, str])
    refuses: list[str] = field(default_factory=list[str])
    loss: Loss | None = None
    decode: Decode | None = None
    mutants: dict[str, Edits] = field(default_factory=dict[str, Edits])
    refused: dict[str, Edits] = field(default_factory=dict[str, Edits])
    graphs: Literal["all", "one"] = "one"
    looped: list[str] = field(default_factory=list[str])

    @property
    def traced(self) -> list[str]:
        """The implementations of attention that `torch.compile` and `torch.export` see."""
        built = [attention for attention in ("sdpa", "eager") if attention not in self.refuses]
        return built if self.graphs == "all" else built[:1]

    @property
    def text(self) -> str:
        """The spec as written."""
        return library.find(self.spec).read_text(encoding="utf-8")

    def written(self, edits: Edits, folder: Path) -> Path:
        """A file with the spec, beside files with its parts, each passage replaced wherever it stands."""
        texts = {self.spec: _beside(self.text), **_parts(self.text)}
        for old, new in edits.items():
            assert any(old in text for text in texts.values()), f"{self.spec} no longer says {old!r}"
            texts = {name: text.replace(old, new) for name, text in texts.items()}
        for name, text in texts.items():
            (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
        return folder / f"{self.spec}.yaml"


_USE = re.compile(r"^use: \[([\w, ]+)\]", re.MULTILINE)


def _beside(text: str) -> str:
    """The text, using parts that stand beside it."""
    return _USE.sub(lambda found: f"use: [{', '.join(f'{name}.yaml' for name in _used(found))}]", text)


def _used(found: re.Match[str]) -> list[str]:
    return found[1].replace(" ", "").split(",")


def _parts(text: str) -> dict[str, str]:
    """The text of every part that a spec uses, and of those they use."""
    named = [name for found in _USE.finditer(text) for name in _used(found)]
    parts = {name: library.find_part(name).read_text(encoding="utf-8") for name in named}
    below = [_parts(part) for part in parts.values()]
    return {name: _beside(part) for each in (parts, *below) for name, part in each.items()}


def _read(path: Path) -> list[Model]:
    """A file's model, and its variants: the same with other params and another config."""
    content = cast("dict[str, Any]", plain(load_file(path)))
    variants = content.pop("variants", {})
    content["cases"] = {name: Case(**case) for name, case in content["cases"].items()}
    for key, kind in (("loss", Loss), ("decode", Decode)):
        if key in content:
            content[key] = kind(**content[key])
    base = Model(path.stem, **content)
    return [base, *(_variant(base, name, change) for name, change in variants.items())]


def _variant(base: Model, name: str, change: dict[str, dict[str, Any]]) -> Model:
    config, params = base.config | change["config"], base.params | change["params"]
    return replace(
        base, name=f"{base.name}-{name}", config=config, params=params, mutants={}, refused={},
        attentions=change.get("attentions", base.attentions),
    )  # fmt: skip


FILES = sorted((Path(__file__).parent / "cases").glob("*.yaml"))
ALL = tuple(model for path in FILES for model in _read(path))
