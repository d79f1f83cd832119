"""`extends`: what a child inherits, replaces, merges, and may not touch."""

from pathlib import Path

import pytest

from archspec.errors import Span, SpecError
from archspec.spec.extend import resolve
from archspec.spec.node import Mapping, Scalar, plain
from tests.spec.documents import BASE, at, read, resolved
from tests.spec.marked import cut, marked, where


def failure(text: str, files: dict[str, str] | None = None) -> SpecError:
    with pytest.raises(SpecError) as error:
        resolved(text, files)
    return error.value


def test_a_document_without_a_parent_is_itself():
    node = read("x.yaml", BASE)

    def find(*_: object) -> tuple[Mapping, Path | None]:
        raise AssertionError("nothing to find")

    assert resolve(node, None, find=find) is node


def test_a_child_that_says_nothing_is_its_parent():
    assert plain(resolved("extends: base.yaml")) == plain(read("base.yaml", BASE))


def test_names_are_replaced_and_the_expectation_holds():
    node = resolved("archspec: 1\nextends: base.yaml\nname: child\nsource: Another paper.\n")
    assert (at(node, "name"), at(node, "summary"), at(node, "source")) == (
        "child",
        "The parent.",
        "Another paper.",
    )
    assert at(node, "expect") == {"params": 100}


@pytest.mark.parametrize(
    "change",
    [
        "params: {num_layers: 3}",
        "presets: {tiny: {num_layers: 1}}",
        "defaults: {mlp: {bias: false}}",
        "tie: {}",
        "weights: {}",
        "patch: []",
        "blocks: {other: {body: [silu]}}",
    ],
)
def test_any_other_change_drops_the_expectation(change: str):
    assert resolved(f"extends: base.yaml\n{change}\n").get("expect") is None


def test_an_expectation_of_ones_own():
    changed = resolved("extends: base.yaml\nparams: {num_layers: 3}\nexpect: {flops: 7}")
    assert at(changed, "expect") == {"flops": 7}
    renamed = resolved("extends: base.yaml\nname: x\nexpect: {flops: 7}")
    assert at(renamed, "expect") == {"params": 100, "flops": 7}


@pytest.mark.parametrize(
    ("text", "section", "expected"),
    [
        (
            "params: {dropout: 0.0, extra: null, hidden_size: 8*num_heads}",
            "params",
            {"hidden_size": "8*num_heads", "num_layers": 2, "dropout": 0.0, "extra": None},
        ),
        (
            "presets: {small: {num_layers: 4}, large: {hidden_size: 128}}",
            "presets",
            {"small": {"hidden_size": 32, "num_layers": 4}, "large": {"hidden_size": 128}},
        ),
        (
            "defaults: {attention: {bias: true}, mlp: {}}",
            "defaults",
            {"attention": {"num_heads": 4, "bias": True}, "mlp": {}},
        ),
        (
            "weights: {hf: {class: Child, rename: {h: blocks}}, other: {class: X}}",
            "weights",
            {"hf": {"class": "Child", "rename": {"h": "blocks"}}, "other": {"class": "X"}},
        ),
        ("losses: {lm: {op: mse}}", "losses", {"lm": {"op": "mse"}}),
        ("inputs: {mask: 'bool[B, S]'}", "inputs", {"input_ids": "int64[B, S]", "mask": "bool[B, S]"}),
        ("outputs: {hidden: lm_head}", "outputs", {"logits": "lm_head", "hidden": "lm_head"}),
        ("tie: {a: b}", "tie", {"lm_head.weight": "wte.weight", "a": "b"}),
    ],
)
def test_sections_merge_by_key(text: str, section: str, expected: dict[str, object]):
    merged = at(resolved(f"extends: base.yaml\n{text}\n"), section)
    assert merged == expected
    assert isinstance(merged, dict)
    assert list(merged) == list(expected)  # known keys keep their place


def test_new_blocks_and_unknown_keys_are_added():
    node = resolved("extends: base.yaml\nblocks: {head: {body: [silu]}}\nparms: {a: 1}\n")
    assert at(node, "blocks", "head") == {"body": ["silu"]}
    assert at(node, "parms") == {"a": 1}  # for the validator to refuse, at its place


def test_a_section_of_the_wrong_kind_reaches_the_validator():
    assert at(resolved("extends: base.yaml\nparams: [1]"), "params") == [1]


def test_extends_and_patch_are_gone():
    node = resolved("extends: base.yaml\npatch: [{at: model.silu, delete: true}]")
    assert not {"extends", "patch"} & set(node.keys())


def test_three_generations():
    files = {
        "parent.yaml": "extends: base.yaml\nname: parent\nparams: {num_layers: 5}\n"
        "patch: [{at: model.silu, replace: gelu}]\nexpect: {params: 200}\n"
    }
    node = resolved("extends: parent.yaml\npatch: [{after: model.silu, insert: {norm: rmsnorm}}]\n", files)
    assert at(node, "name") == "parent"
    assert at(node, "params", "num_layers") == 5
    assert at(node, "model", 5) == {"silu": "gelu"}
    assert at(node, "model", 6) == {"norm": "rmsnorm"}
    assert node.get("expect") is None
    assert at(resolved("extends: parent.yaml\nname: x", files), "expect") == {"params": 200}


def test_nodes_keep_the_spans_of_where_they_came_from():
    node = resolved("extends: base.yaml\nparams: {num_layers: 12}\n")
    params = node.get("params")
    assert isinstance(params, Mapping)
    places = {str(key.value): (key.span.source.name, cut(value.span)) for key, value in params.entries}
    assert places == {
        "hidden_size": ("base.yaml", "64"),
        "num_layers": ("child.yaml", "12"),
        "dropout": ("base.yaml", "0.1"),
    }


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("extends: «[base.yaml]»", "P001", "the name of one document"),
        ("extends: «3»", "P001", "the name of one document"),
        ("extends: «''»", "P001", "the name of one document"),
        ("extends: «none.yaml»", "F001", "no none.yaml"),
        ("extends: «child.yaml»", "P002", "child.yaml → "),
        ("extends: base.yaml\n«model»: []", "P004", "'model' is already defined"),
        ("extends: base.yaml\nblocks: {new: {}, «block»: {body: []}}", "P004", "the block 'block' is"),
        ("name: x\n«patch»: []", "P005", "'patch' needs 'extends'"),
    ],
)
def test_a_wrong_document_is_located(text: str, code: str, message: str):
    there = marked(text)
    (found,) = failure(there.text).diagnostics
    assert (found.code, where(found.span)) == (code, there.covered)
    assert message in found.message


def test_all_redefinitions_are_shown():
    found = failure("extends: base.yaml\nmodel: []\nblocks: {block: {}}").diagnostics
    assert [(d.code, d.hint) for d in found] == [("P004", "change it with 'patch'")] * 2


def test_a_longer_circle_is_spelt_out():
    files = {"a.yaml": "extends: b.yaml", "b.yaml": "extends: a.yaml"}
    (found,) = failure("extends: a.yaml", files).diagnostics
    assert found.code == "P002"
    names = [Path(part).name for part in found.message.split(": ")[1].split(" → ")]
    assert names == ["a.yaml", "b.yaml", "a.yaml"]
    assert found.span is not None
    assert found.span.source.name == "b.yaml"


def test_paths_are_compared_as_places():
    def find(name: str, path: Path | None, span: Span) -> tuple[Mapping, Path | None]:
        return read(name, "extends: x"), Path("dir") / ".." / "child.yaml"

    with pytest.raises(SpecError) as error:
        resolve(read("child.yaml", "extends: x"), Path("child.yaml"), find=find)
    assert error.value.diagnostics[0].code == "P002"


def test_a_chain_without_paths_is_told_apart_by_source():
    def find(name: str, path: Path | None, span: Span) -> tuple[Mapping, Path | None]:
        return read(name, "extends: x" if name == "x" else "name: y"), None

    with pytest.raises(SpecError) as error:
        resolve(read("child.yaml", "extends: x"), None, find=find)
    assert error.value.diagnostics[0].code == "P002"


def test_sixteen_parents_are_allowed_and_seventeen_are_not():
    def chain(length: int) -> dict[str, str]:
        return {f"{i}.yaml": f"extends: {i + 1}.yaml" for i in range(1, length)} | {
            f"{length}.yaml": "name: top"
        }

    assert at(resolved("extends: 1.yaml", chain(16)), "name") == "top"
    (found,) = failure("extends: 1.yaml", chain(17)).diagnostics
    assert (found.code, "more than 16" in found.message) == ("P003", True)


def test_the_merged_document_is_bounded():
    wide = {"wide.yaml": "params: {" + ",".join(f"a{i}: 1" for i in range(40_000)) + "}"}
    child = "extends: wide.yaml\nparams: {" + ",".join(f"b{i}: 1" for i in range(20_000)) + "}"
    (found,) = failure(child, wide).diagnostics
    assert (found.code, found.message) == ("P010", "the merged document has 120,003 values, 2 levels deep")


def test_a_scalar_document_value_stays_a_scalar():
    node = resolved("extends: base.yaml\nname: null\n").get("name")
    assert isinstance(node, Scalar)
    assert node.value is None
