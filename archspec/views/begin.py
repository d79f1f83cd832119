"""The text a new spec begins with: a template under another name, or a commented extension of a spec."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from pathlib import Path

from archspec.errors import Collector, Source, Span, SpecError
from archspec.spec.node import Mapping, Node, Scalar, Sequence
from archspec.spec.patch_path import locate
from archspec.spec.spec import Spec
from archspec.spec.tree import Body, Parallel, Residual
from archspec.spec.validate import check_model_name
from archspec.spec.yaml import load_text

_WIDTH = 110
_MANY = 40


def from_template(template: Path, name: str) -> str:
    """The text of a template, called `name`. Raises SpecError S004 where that is no name of a model."""
    _check(name)
    text = template.read_text(encoding="utf-8")
    node = load_text(Source(str(template), text))
    old = node.get("name") if isinstance(node, Mapping) else None
    assert isinstance(old, Scalar)
    lines = text.splitlines(keepends=True)
    line, start, end = old.span.line - 1, old.span.column - 1, old.span.end_column - 1
    lines[line] = lines[line][:start] + name + lines[line][end:]
    return "".join(lines)


def from_spec(base: str, spec: Spec, name: str) -> str:
    """A spec that extends `base` and changes nothing yet; comments say what it may change, and where.

    Raises SpecError S004 where `name` is no name of a model.
    """
    _check(name)
    head = ["archspec: 1", f"name: {name}", f"extends: {base}"]
    return "\n".join([*head, "", *_params(spec), "", *_patch(spec)]) + "\n"


def _check(name: str) -> None:
    found = Collector()
    span = Span(Source("NAME", name), 1, 1, 1, len(name) + 1)
    check_model_name(found, Scalar(name, name, span, quoted=True))
    found.raise_if_any()


def _params(spec: Spec) -> Iterator[str]:
    yield f"# Params of {spec.name} that have another value here: take the '# ' away, leave out the others."
    yield "# params:"
    for key, value in spec.section("params").entries:
        yield f"#   {key.value}: {_written(value)}"


def _written(node: Node) -> str:
    if isinstance(node, Scalar):
        return node.text
    return f"[{', '.join(map(_written, node.items))}]" if isinstance(node, Sequence) else "{}"


def _patch(spec: Spec) -> Iterator[str]:
    paths = list(dict.fromkeys(paths_of(spec)))
    first = paths[0] if paths else "model.step"
    yield "# Changes of structure, at paths that exist. One line for each of the verbs:"
    yield "# patch:"
    yield f"#   - {{at: {first}, set: {{argument: value}}}}          # arguments of a step"
    yield f"#   - {{at: {first}, replace: {{op: word}}}}             # another step of the same name"
    yield f"#   - {{after: {first}, insert: {{new_name: word}}}}     # or 'before'"
    yield f"#   - {{at: {first}, delete: true}}"
    yield "# The paths:"
    shown = ", ".join(paths[:_MANY]) + (", …" if len(paths) > _MANY else "")
    yield from textwrap.wrap(
        shown, _WIDTH, initial_indent="#   ", subsequent_indent="#   ", break_long_words=False
    )


def paths_of(spec: Spec) -> Iterator[str]:
    """Every step that a patch can name without doubt, the model's own last."""
    bodies = [*((f"blocks.{name}", block.body) for name, block in spec.blocks.items()), ("model", spec.model)]
    for path in (path for place, body in bodies for path in _steps(place, body)):
        if _is_clear(spec, path):
            yield path


def _is_clear(spec: Spec, path: str) -> bool:
    try:
        locate(spec.node, Scalar(path, path, spec.node.span))
    except SpecError:
        return False
    return True


def _steps(path: str, body: Body) -> Iterator[str]:
    for step in body:
        if len(step.common.names) == 1:
            yield f"{path}.{step.common.names[0]}"
        elif isinstance(step, Residual):
            yield from _steps(path, step.body)
        elif isinstance(step, Parallel):
            yield from (below for branch in step.branches for below in _steps(path, branch))
