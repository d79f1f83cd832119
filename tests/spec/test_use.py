"""`use`: blocks from other files, which see nothing of the document that uses them."""

from pathlib import Path

import pytest

from archspec import api
from archspec.errors import ArchspecError, SpecError
from archspec.ir import text

PART = """\
archspec: 1
name: layers
blocks:
  layer:
    in: {x: "[B, S, d]"}
    args: {out: int, eps: {type: float, default: 1e-3}}
    body: [{norm: {op: layernorm, eps: eps}}, {fc: {op: linear, out: out}}, {back: {op: linear, out: d}}]
"""
USER = """\
archspec: 1
name: user
use: [layers.yaml]
params: {d: 3, eps: 7, size: 8}
defaults: {linear: {bias: false}}
inputs: {x: "[N, T, size]", S: "[N]"}
model: [{h: {op: layer, in: x, out: d}}]
outputs: {y: h}
"""


def written(folder: Path, **files: str) -> Path:
    """Files by their stem, the user's among them; gives its path."""
    for name, content in {"user": USER, "layers": PART, **files}.items():
        (folder / f"{name}.yaml").write_text(content, encoding="utf-8")
    return folder / "user.yaml"


def codes(path: Path) -> list[str]:
    with pytest.raises(ArchspecError) as error:
        api.lower(path)
    return [found.code for found in error.value.diagnostics]


def test_a_block_of_a_part_sees_no_params_defaults_or_sizes(tmp_path: Path):
    checked = api.check(written(tmp_path, user=USER.replace(', S: "[N]"', "")))
    assert checked.parameters == 16 + (8 * 3 + 3) + (3 * 8 + 8)
    shown = text.show(checked.graph)
    assert "let d = size" in shown
    assert "let S = T" in shown
    assert "let eps = 0.001" in shown


def test_a_param_read_in_a_part_is_unknown_there(tmp_path: Path):
    part = PART.replace("eps: eps", "eps: size")
    with pytest.raises(ArchspecError, match="unknown name 'size'") as error:
        api.lower(written(tmp_path, layers=part))
    (found,) = error.value.diagnostics
    assert found.span is not None
    assert found.span.source.name.endswith("layers.yaml")


def test_the_resolved_document_holds_its_parts_and_means_the_same(tmp_path: Path):
    path = written(tmp_path)
    alone = tmp_path / "alone.yaml"
    alone.write_text(api.show(path, "resolved"), encoding="utf-8")
    assert "use:" not in alone.read_text()
    assert text.show(api.lower(alone)) == text.show(api.lower(path))


def test_parts_use_parts_once_each(tmp_path: Path):
    top = PART.replace("name: layers", "name: top\nuse: [layers.yaml]").replace("  layer:", "  other:")
    path = written(tmp_path, user=USER.replace("[layers.yaml]", "[top.yaml, layers.yaml]"), top=top)
    assert set(api.load(path).blocks) == {"layer", "other"}


def test_a_child_and_its_parent_may_use_one_part(tmp_path: Path):
    child = "archspec: 1\nname: child\nextends: user.yaml\nuse: [layers.yaml]\n"
    written(tmp_path, child=child)
    assert api.check(tmp_path / "child.yaml").parameters == api.check(tmp_path / "user.yaml").parameters


def test_parts_in_a_circle_are_each_read_once(tmp_path: Path):
    assert api.load(written(tmp_path, layers=PART + "use: [layers.yaml]\n")).blocks.keys() == {"layer"}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"user": USER.replace("model:", "blocks: {layer: {body: [silu]}}\nmodel:")}, "P012"),
        ({"user": USER.replace("[layers", "[b.yaml, layers"), "b": PART}, "P012"),
        ({"user": USER.replace("[layers.yaml]", "layers.yaml")}, "P001"),
        ({"user": USER.replace("[layers.yaml]", "[]")}, "P001"),
        ({"user": USER.replace("layers.yaml", "nothing.yaml")}, "Y001"),
        ({"user": USER.replace("layers.yaml", "nothing")}, "S901"),
        ({"user": USER.replace("layers.yaml", "../layers.yaml")}, "P011"),
        ({"layers": PART.replace("blocks:", "params: {a: 1}\nblocks:")}, "S001"),
        ({"layers": PART.replace("name: layers", "")}, "S002"),
        ({"layers": "- a\n"}, "S003"),
    ],
)
def test_what_is_wrong_with_a_part_is_found(tmp_path: Path, change: dict[str, str], code: str):
    assert codes(written(tmp_path, **change)) == [code]


def test_there_is_an_end_to_parts(tmp_path: Path):
    files = {f"p{i}": PART.replace("layer:", f"l{i}:").replace("layers", f"p{i}") for i in range(66)}
    listed = ", ".join(f"{name}.yaml" for name in files)
    path = written(tmp_path, user=USER.replace("layers.yaml", listed), **files)
    with pytest.raises(SpecError, match="more than 64 parts"):
        api.load(path)
