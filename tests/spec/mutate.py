"""Right specs made wrong: by a change of the text, or of one place in the tree."""

import copy
import re
from pathlib import Path
from typing import Any, TypeAlias

import yaml
from hypothesis import strategies as st

from archspec.errors import SpecError
from archspec.spec.node import plain
from archspec.spec.yaml import load_text
from tests.spec.marked import source
from tests.spec.wrong import complete

Tree: TypeAlias = Any
Path_: TypeAlias = tuple[str | int, ...]

ROOT = Path(__file__).parents[2]
FENCE = re.compile(r"^```yaml.*\n((?:.*\n)*?)```$", re.MULTILINE)
ODD = [
    "",
    "~",
    "no",
    "010",
    "1e-5",
    "-1",
    "0",
    "2.5",
    ".nan",
    ".inf",
    "1e999",
    "[]",
    "{}",
    "[1, 2]",
    "{a: b}",
    "'x y'",
]
MEANT = [
    "x",
    "i",
    "width",
    "past",
    "_",
    "lambda",
    "self",
    "9**99",
    "S",
    "a.b",
    "x[0]",
    "true",
    "null",
    "a.weight",
    "é",
]
KEYS = [
    "in",
    "op",
    "when",
    "body",
    "repeat",
    "block",
    "vary",
    "residual",
    "parallel",
    "push",
    "pop",
    "call",
    "branch",
]
OPS = [
    "each",
    "linear",
    "attention",
    "rearrange",
    "concat",
    "param",
    "layernorm",
    "out",
    "to",
    "type",
    "with",
    "shared",
]
SCALARS, WORDS = [*ODD, *MEANT], [*KEYS, *OPS]


def texts() -> list[str]:
    """The library's specs, and every small document of the tables of cases."""
    pages = [path.read_text(encoding="utf-8") for path in sorted((ROOT / "tests" / "cases").rglob("*.md"))]
    specs = [path.read_text(encoding="utf-8") for path in sorted((ROOT / "specs").rglob("*.yaml"))]
    return specs + [complete(text) for page in pages for text in FENCE.findall(page)]


def trees() -> list[Tree]:
    """The documents of `texts` that are mappings, as plain data."""
    nodes = (_tree(text) for text in texts())
    return [tree for tree in nodes if isinstance(tree, dict)]


def _tree(text: str) -> Tree:
    """The document as plain data; None where YAML refuses it."""
    try:
        return plain(load_text(source(text)))
    except SpecError:
        return None


def paths(tree: Tree, here: Path_ = ()) -> list[Path_]:
    """Every place in a tree but its root."""
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    return [place for key, value in items for place in [(*here, key), *paths(value, (*here, key))]]


def at(tree: Tree, path: Path_) -> Tree:
    for key in path:
        tree = tree[key]
    return tree


@st.composite
def mutated_texts(draw: st.DrawFn) -> str:
    """A document with a stretch of its text cut out, doubled or replaced."""
    text = draw(st.sampled_from(TEXTS))
    for _ in range(draw(st.integers(1, 2))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 12)))
        text = (
            text[:start]
            + draw(st.sampled_from(["", "", *SCALARS, *WORDS, text[start:end] * 2, "\n", " ", ": "]))
            + text[end:]
        )
    return text if draw(st.booleans()) else text[: draw(st.integers(0, len(text)))]


@st.composite
def mutated_trees(draw: st.DrawFn) -> str:
    """A document with places of its tree dropped, replaced, renamed or swapped."""
    tree = copy.deepcopy(draw(st.sampled_from(TREES)))
    for _ in range(draw(st.integers(1, 2))):
        places = paths(tree)
        if places:
            _change(draw, tree, draw(st.sampled_from(places)), places)
    return yaml.safe_dump(
        tree, sort_keys=False, default_flow_style=draw(st.sampled_from([None, False])), width=200
    )


def _change(draw: st.DrawFn, tree: Tree, path: Path_, places: list[Path_]) -> None:
    parent, key = at(tree, path[:-1]), path[-1]
    kind = draw(st.sampled_from(["drop", "odd", "other", "rename", "wrap"]))
    if kind == "drop":
        del parent[key]
    elif kind == "odd":
        parent[key] = yaml.safe_load(draw(st.sampled_from(SCALARS)))
    elif kind == "other":
        parent[key] = copy.deepcopy(at(tree, draw(st.sampled_from(places))))
    elif kind == "wrap":
        parent[key] = draw(st.sampled_from([[parent[key]], {draw(st.sampled_from(WORDS)): parent[key]}]))
    elif isinstance(parent, dict):
        parent[draw(st.sampled_from([*WORDS, f"{key}s", str(key)[:-1]]))] = parent.pop(key)


TEXTS = texts()
TREES = trees()
