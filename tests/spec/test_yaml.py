"""The loader: values, spans, and every trap with its code, its place and its hint."""

from pathlib import Path

import pytest
import yaml as pyyaml

from archspec.errors import Source, SpecError
from archspec.spec import yaml
from archspec.spec.node import Mapping, Scalar, Sequence, plain
from archspec.spec.yaml import load_file, load_text
from tests.spec.marked import cut, everything, marked, source, where

SPEC = """\
# a spec
name: gpt2            # comment
params: {hidden_size: 768, "max, positions": [1, 2], empty: {}, none: , nothing: []}
größe: "x * (1 + y)"
model:
- wte: {op: embedding}
- 日本: 'it''s'
-
  - deep
  -   a: 1
      b: plain text
        on two lines
notes: |
  first
    second

folded: >-
  one
  two
last:
"""


@pytest.fixture(params=["libyaml", "pure"])
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both parsers of PyYAML: the result may not depend on which one is installed."""
    if request.param == "pure":
        monkeypatch.setattr(yaml, "LOADER", pyyaml.SafeLoader)


def failure(text: str) -> SpecError:
    with pytest.raises(SpecError) as error:
        load_text(source(text))
    return error.value


@pytest.mark.usefixtures("parser")
def test_values_of_a_document():
    assert plain(load_text(source(SPEC))) == {
        "name": "gpt2",
        "params": {"hidden_size": 768, "max, positions": [1, 2], "empty": {}, "none": None, "nothing": []},
        "größe": "x * (1 + y)",
        "model": [
            {"wte": {"op": "embedding"}},
            {"日本": "it's"},
            ["deep", {"a": 1, "b": "plain text on two lines"}],
        ],
        "notes": "first\n  second\n",
        "folded": "one two",
        "last": None,
    }


@pytest.mark.usefixtures("parser")
def test_the_span_of_every_scalar_covers_its_text():
    scalars = [node for node in everything(load_text(source(SPEC))) if isinstance(node, Scalar)]
    assert [cut(node.span) for node in scalars] == [node.text for node in scalars]
    assert {'"x * (1 + y)"', "'it''s'", "日本", "größe", "|\n  first\n    second", ">-\n  one\n  two"} <= {
        node.text for node in scalars
    }
    assert [node.text for node in scalars if node.quoted] == ['"max, positions"', '"x * (1 + y)"', "'it''s'"]


@pytest.mark.usefixtures("parser")
@pytest.mark.parametrize(
    "text",
    [
        "a: 1\nb: «{c: 1, d: [2]}»  # x\n",
        "a:\n  - «b: 1\n    c:\n      - 2»\n\n# end\nd: 1\n",
        "é日𝔸: «[1, 2]»",
        "k:\n«- a\n- b»\nc: 1",
        "a: [«x: 1», 2]",
        "a: [«{x: 1}», 2]",
        "- 1\n-   «- 2\n    - 3»\n",
        "a: «{\n  b: 1\n}» # c\n",
        "a: «{}»\n",
        "\r\na:\r\n  «b: 1\r\n  c: 2»\r\n",
        "a:\r  «b: 1\r  c: 2»\r",
    ],
)
def test_the_span_of_a_collection_is_exact(text: str):
    there = marked(text)
    nodes = [n for n in everything(load_text(source(there.text))) if isinstance(n, Mapping | Sequence)]
    assert there.covered in [where(node.span) for node in nodes]


@pytest.mark.usefixtures("parser")
@pytest.mark.parametrize("text", ["a:«»", "a:«»\nb: 1", "- 1\n-«»\n", "? a«»", "«»", "«»# only this"])
def test_an_empty_value_stands_inside_the_text(text: str):
    there = marked(text)
    empty = [
        n for n in everything(load_text(source(there.text))) if isinstance(n, Scalar) and n.value is None
    ]
    assert [where(node.span) for node in empty] == [there.covered]


TRAPS = [
    ("a: 1\nb: 2\n«a»: 3", "Y009", "the key 'a' is already set on line 1", "keep one of the two"),
    ("{a: 1, «'a'»: 2}", "Y009", "the key 'a' is already set on line 1", "keep one of the two"),
    ("{1: a, «0x1»: b}", "Y009", "the key '1' is already set on line 1", "keep one of the two"),
    ("{«true»: 1}", "Y010", "the key 'true' is not a string", 'write "true" with quotes'),
    ("a: 1\n«1.5»: 1", "Y010", "the key '1.5' is not a string", 'write "1.5" with quotes'),
    ("«~»: 1", "Y010", "the key '~' is not a string", 'write "~" with quotes'),
    ("? «[a]»\n: 1", "Y010", "a collection is used as a key", "quote the key"),
    ("a: «&x» 1", "Y011", "an anchor is used", "'params' and blocks"),
    ("«&x» a: 1", "Y011", "an anchor is used", "'params' and blocks"),
    ("a: [«*x»]", "Y011", "an alias is used", "write the value out"),
    ("a: «!!str» 1", "Y012", "a tag is used", "no tags"),
    ("a: «!»x!y 1", "Y012", "a tag is used", "no tags"),
    ("a: {«<<»: {b: 1}}", "Y013", "a merge key is used", "'extends'"),
    ("a: 1\n«---»\nb: 1", "Y014", "a second document starts here", "one document per file"),
    ("a: «010»", "Y015", "the number '010' starts with a zero", "write 10 or 0o10"),
    ("a: [1, «-08»]", "Y015", "the number '-08' starts with a zero", "write -8, or"),
    ("«007»: 1", "Y015", "the number '007' starts with a zero", "write 7 or 0o7"),
    ("a: «9223372036854775808»", "Y016", "does not fit in 64 bits", "quote it"),
    ("a: «1e999»", "Y016", "does not fit in a 64-bit float", ".inf"),
    ("a: «1e-999»", "Y016", "does not fit in a 64-bit float", ".inf"),
    ("{a: «f(x, y)»}", "Y017", "YAML ends this value at the comma", "quote the expression"),
    ("{a: «max(f(x, y), z)», b: 1}", "Y017", "YAML ends this value at the comma", "quote the expression"),
    ("[a, «f(x, y)»]", "Y017", "YAML ends this value at the comma", "quote the expression"),
    ("[a: «f(x, y)»]", "Y017", "YAML ends this value at the comma", "quote the expression"),
    ("a: {b: «f(x,\n  y)»}", "Y017", "YAML ends this value at the comma", "quote the expression"),
    ("{a: 1, «b»}", "Y018", "'b' has no value", "with a space after the colon"),
    ("{«a:1»}", "Y018", "'a:1' has no value", "with a space after the colon"),
    ("«%»YAML 1.2\n---\na: 1", "Y019", "a YAML directive is used", "drop the line"),
    ("«%»YAML 2.0\n---\na: 1", "Y019", "a YAML directive is used", "drop the line"),
    ("a: «\0»", "Y003", "the character U+0000 is not allowed", "delete it"),
    ("«\ufeff»a: 1", "Y003", "U+FEFF ZERO WIDTH NO-BREAK SPACE", "without a byte order mark"),
    ("# x «\u2028»a: 1", "Y003", "U+2028 LINE SEPARATOR", "delete it"),
    ("a: «\ud800»", "Y003", "the character U+D800 is not allowed", "delete it"),
    ('a: «"x\\0"»', "Y003", "the string holds the character U+0000", "take the escape out"),
    ("a:«\t»1", "Y008", "a tab is used as white space", "spaces"),
    ("a:\n«\t»b: 1", "Y008", "a tab is used as white space", "spaces"),
    ("a: 1«\t»# comment", "Y008", "a tab is used as white space", "spaces"),
    ("a: b«\t»c", "Y008", "a tab is used as white space", "spaces"),
    ("a: «@»x", "Y007", "a value cannot start with '@'", "quote the value"),
    ("a: «\"»x\nb: 1", "Y007", "this quote is never closed", "close the string"),
    ("a: b«:» c", "Y007", "mapping values are not allowed", "quote a value that contains ': '"),
    ("{a«:», b: 1}", "Y007", "unexpected ':'", "put a space after the colon"),
    ("a: 1\n«b»\nc: 1", "Y007", "expected ':'", "write 'key: value'"),
    ("a: «[»1, 2", "Y007", "that starts on line 1", "close the bracket"),
    ("{x: int64«[»B, S]}", "Y007", "expected ',' or '}'", "quote a value that contains brackets"),
    ("- a\n«b»: 1", "Y007", "expected '-' indicator", "align this line"),
    ("a:\n  - b\n «c»: 1", "Y007", "expected key", "align this line"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "code", "message", "hint"), TRAPS)
def test_a_trap_is_located_and_explained(text: str, code: str, message: str, hint: str | None):
    there = marked(text)
    (found,) = failure(there.text).diagnostics
    assert (found.code, where(found.span)) == (code, there.covered)
    assert message in found.message
    assert (hint or "") in (found.hint or "")


@pytest.mark.usefixtures("parser")
@pytest.mark.parametrize(("text", "code"), [trap[:2] for trap in TRAPS if trap[1] != "Y007"])
def test_both_parsers_agree_on_a_trap(text: str, code: str):
    there = marked(text)
    (found,) = failure(there.text).diagnostics
    assert (found.code, where(found.span)) == (code, there.covered)


@pytest.mark.usefixtures("parser")
@pytest.mark.parametrize(
    "text", ["a: 'x", "[1", "a: }", "- a\nb", '"\\Uffffffff"', '"\\q"', "a: b: c", "%x\n"]
)
def test_what_is_not_yaml_is_a_located_finding(text: str):
    (found,) = failure(text).diagnostics
    assert (found.code, found.span is not None) == ("Y007", True)


def test_findings_are_collected_in_document_order():
    error = failure("b: &x 1\na: 010\na: [f(x, y)]\n~: !!str 2")
    found = [(d.code, d.span.line if d.span else 0) for d in error.diagnostics]
    assert found == [("Y011", 1), ("Y015", 2), ("Y009", 3), ("Y017", 3), ("Y010", 4), ("Y012", 4)]


def test_keys_of_integers_are_their_digits():
    node = load_text(source("{at: {0: mlp, -1: moe, 12: x}, else: y}"))
    assert plain(node) == {"at": {"0": "mlp", "-1": "moe", "12": "x"}, "else": "y"}
    assert isinstance(node, Mapping)
    inner = node.get("at")
    assert isinstance(inner, Mapping)
    assert [key.value for key, _ in inner.entries] == ["0", "-1", "12"]


@pytest.mark.usefixtures("parser")
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("# only a comment\n", None),
        ("---\na: 1\n...\n", {"a": 1}),
        ('a: "b\tc" # d\te', {"a": "b\tc"}),
        ("a: |\n  b\tc\n", {"a": "b\tc\n"}),
        ("{a: , b: ~}", {"a": None, "b": None}),
        ("'<<': 1", {"<<": 1}),
        ("{a: f(x) + g(y), b: (c)}", {"a": "f(x) + g(y)", "b": "(c)"}),
        ("{a: f(x, b: 1}", {"a": "f(x", "b": 1}),
        ("q, k, v: split(qkv, 3)", {"q, k, v": "split(qkv, 3)"}),
        ("[silu: {in: t}, x]", [{"silu": {"in": "t"}}, "x"]),
    ],
)
def test_what_is_allowed(text: str, value: object):
    assert plain(load_text(source(text))) == value


def test_a_file_is_read_with_its_name(tmp_path: Path):
    path = tmp_path / "größe.yaml"
    path.write_bytes("a: é\r\nb: [010]\r\n".encode())
    with pytest.raises(SpecError, match=r"größe.yaml:2:5: Y015"):
        load_file(path)
    path.write_text("a: é", encoding="utf-8")
    node = load_file(path)
    assert (plain(node), node.span.source) == ({"a": "é"}, Source(str(path), "a: é"))


def test_a_file_that_is_not_utf8(tmp_path: Path):
    path = tmp_path / "latin.yaml"
    path.write_bytes("ok: é\nname: ".encode() + b"caf\xe9\n")
    with pytest.raises(SpecError) as error:
        load_file(path)
    (found,) = error.value.diagnostics
    assert (found.code, where(found.span)) == ("Y002", (2, 10, 2, 11))
    assert found.hint == "save the file as UTF-8"


def test_files_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "gpt2.yaml").write_text("a: 1")
    assert unreadable(tmp_path / "gtp2.yaml") == ("does not exist", "did you mean 'gpt2.yaml'?")
    assert unreadable(tmp_path / "none" / "x.yaml") == ("does not exist", None)
    assert unreadable(tmp_path) == ("is a directory", None)
    assert unreadable(Path("/dev/null")) == ("is not a regular file", None)
    assert unreadable(Path("a\0b"))[0].startswith("cannot be read")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert unreadable(tmp_path / "loop")[0].startswith("cannot be read")

    def refused(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refused)
    assert unreadable(tmp_path / "gpt2.yaml")[0] == "cannot be read: Permission denied"


def unreadable(path: Path) -> tuple[str, str | None]:
    with pytest.raises(SpecError) as error:
        load_file(path)
    (found,) = error.value.diagnostics
    assert found.code == "Y001"
    return found.message.removeprefix(f"'{path}' "), found.hint
