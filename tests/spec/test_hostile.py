"""Documents made to break or to stall: each ends within a bound, in a graph or in located findings."""

import time

import pytest
from hypothesis import given, settings

from archspec.errors import Diagnostic
from archspec.lowering.closing import MAX_TENSORS
from archspec.lowering.lower import MAX_NESTING, MAX_STEPS
from archspec.spec.yaml_keys import MAX_FINDINGS
from tests.spec.mutate import mutated_texts, mutated_trees
from tests.spec.wrong import findings

SECONDS = 20  # of this process: a guard against hanging, with room for a busy machine; far less is usual
HEAD = 'archspec: 1\nname: m\ninputs: {x: "[B, S, 8]"}\n'
TAIL = "outputs: {y: out}\n"
LINEAR = "model: [{out: {op: linear, in: x, out: 8}}]\n"


def document(parts: str) -> str:
    """A whole document around params, blocks and a model whose result is `out`."""
    return HEAD + (parts if "model:" in parts else parts + LINEAR) + TAIL


def timed(text: str) -> tuple[Diagnostic, ...]:
    """The findings, within a bound of this process's own time."""
    start = time.process_time()
    found = findings(text)
    assert time.process_time() - start < SECONDS
    return found


def doubling(levels: int) -> str:
    """Blocks that each run the next one twice: 2 ** levels steps."""
    blocks = "".join(f"  b{i}: {{body: [{{p: b{i + 1}}}, {{q: b{i + 1}}}]}}\n" for i in range(levels))
    return f"blocks:\n{blocks}  b{levels}: {{body: [silu]}}\nmodel: [{{out: {{op: b0, in: x}}}}]\n"


def nested(depth: int, inner: str) -> str:
    return "residual: [" + "{residual: [" * depth + inner + "]}" * depth + "]"


def deep_blocks(blocks: int, depth: int) -> str:
    """Blocks inside blocks, each nested deep: no limit of the loader sees the whole depth."""
    lines = "".join(f"  b{i}: {{body: [{{{nested(depth, f'{{p: b{i + 1}}}')}}}]}}\n" for i in range(blocks))
    return f"blocks:\n{lines}  b{blocks}: {{body: [silu]}}\nmodel: [{{out: {{op: b0, in: x}}}}]\n"


def repeated(count: str, body: str) -> str:
    return f"model: [{{out: {{repeat: {count}, in: x, body: {body}}}}}]\n"


def many(form: str, count: int) -> str:
    return "".join(form.format(i=i, j=i + 1) for i in range(count))


ONES = "[" + ",".join(["1"] * 60_000) + "]"

HOSTILE = {
    "a block that holds itself": ("blocks: {a: {body: [{b: a}]}}\nmodel: [{out: {op: a, in: x}}]\n", "L007"),
    "a block that repeats itself": (
        "blocks: {a: {body: [{b: {repeat: 2, block: a}}]}}\nmodel: [{out: {op: a, in: x}}]\n",
        "L007",
    ),
    "2 ** 39 steps": (doubling(39), "L032"),
    "2 ** 20 steps": (doubling(20), "L032"),
    "blocks and scopes": (deep_blocks(30, 24), "L032"),
    "10 ** 9 layers": (repeated("10**9", "[silu]"), "L032"),
    "9 ** 9 ** 9 layers": (repeated("9**9**9", "[silu]"), "N004"),
    "layers that all differ": (
        repeated("10000", "[{l: {op: linear, out: 8}}, {s: {op: scale, by: i}}]"),
        "L032",
    ),
    "layers that grow": (repeated("10000", "[{l: {op: linear, out: width + 1}}]"), "L032"),
    "layers that double": (repeated("10000", "[{l: {op: linear, out: 2 * width}}]"), "N004"),
    "layers that push": (repeated("10000", "[{l: {op: linear, out: 8}}, {push: s}]"), "L032"),
    "layers of layers": (
        repeated(
            "10000", "[{a: {repeat: 10000, body: [{b: {repeat: 10000, body: [{l: {op: linear, out: 8}}]}}]}}]"
        ),
        "L032",
    ),
    "layers of layers that differ": (
        repeated("1000", "[{a: {repeat: 1000, body: [{s: {op: scale, by: i}}]}}, {s: {op: scale, by: i}}]"),
        "L032",
    ),
    "steps without end": ("model:\n  - a: {op: linear, in: x, out: 8}\n" + "  - silu\n" * 40_000, "L032"),
    "each of a long list": (f"model: [{{out: {{each: {{m: {ONES}}}, in: x, body: [silu]}}}}]\n", "N004"),
    "each of a list as long as allowed": (
        "model: [{out: {each: {m: range(10000)}, in: x, body: [{l: {op: linear, out: 8}}]}}]\n",
        "L032",
    ),
    "a long list": (f"params: {{a: {ONES}}}\n", "N004"),
    "a list of lists of lists": ('params: {a: "[1] * 9999", b: "[a] * 9999", c: "[b] * 9999"}\n', "N004"),
    "a circle of params": ("params:\n" + many("  p{i}: p{j} + 1\n", 3_000) + "  p3000: p0\n", "N006"),
    "a tower": ("params: {a: 9**9**9**9**9}\n", "N004"),
    "a square of a square": ("params: {a: 2**62, b: a*a}\n", "N004"),
    "a long expression": ('model: [{out: "' + "x + " * 1_500 + 'x"}]\n', "N010"),
    "a chain of operators": ('model: [{out: "' + "x + " * 160 + 'x"}]\n', "N010"),
    "deep parentheses": ('model: [{out: "' + "(" * 1_000 + "x" + ")" * 1_000 + '"}]\n', "N010"),
    "signs": ('model: [{out: "' + "-" * 3_000 + 'x"}]\n', "N010"),
    "a polynomial": ('model: [{out: "reshape(x, [(B + S + 1)**8 * (B + S + 2)**8])"}]\n', "N004"),
    "a split into parts without end": (
        'model: [{r: {op: linear, in: x, out: 10**6}}, {out: "split(_, 10**6)"}]\n',
        "T008",
    ),
    "a long pattern": (
        'model: [{out: {op: rearrange, in: x, pattern: "' + "a " * 30_000 + '-> b"}}]\n',
        "T009",
    ),
    "a kernel known only when the model runs": (
        "model: [{out: {op: conv1d, in: x, out: 8, kernel: 10**18}}]\n",
        "N005",
    ),
    "a long name": (f"params: {{{'a' * 900}: 1}}\n", "S004"),
    "a long text": (f"summary: {'a' * 900_000}\n", "S003"),
    "a long op": (f"model: [{{out: {{op: {'a' * 900_000}, in: x}}}}]\n", "L001"),
    "unknown keys": (many("k{i}: 1\n", 40_000), "S001"),
    "unknown names": ("params:\n" + many("  p{i}: q{i} + 1\n", 15_000), "N001"),
    "unknown ops": ("model:\n" + many("  - s{i}: foo\n", 15_000), "L001"),
    "unknown arguments": (
        "model:\n  - out: {op: linear, in: x, out: 8, " + many("k{i}: 1, ", 20_000) + "}\n",
        "S001",
    ),
    "unknown params of presets": ("presets:\n" + many("  a{i}: {{z: 1}}\n", 10_000), "S021"),
    "unknown parameters to tie": ("tie:\n" + many("  y{i}: z\n", 20_000), "L050"),
    "bad names": ("params:\n" + many('  "a {i}": 1\n', 40_000), "S004"),
    "bad steps": ("model:\n" + "  - 3\n" * 40_000, "S011"),
    "a step that is pushed and popped forever": (
        "model:\n  - a: {op: linear, in: x, out: 8}\n" + "  - push: s\n" * 20_000,
        "L032",
    ),
}


@pytest.mark.parametrize(("parts", "code"), HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_document(parts: str, code: str):
    found = timed(document(parts))
    assert found[0].code == code
    assert len(found) <= 2 * MAX_FINDINGS
    assert all(f.span is not None and len(f.message) < 500 and len(f.hint or "") < 2_000 for f in found)


RIGHT = {
    "layers that are alike": repeated("10000", "[{l: {op: linear, out: 8}}]"),
    "a chain of params": "params:\n" + many("  p{i}: p{j} + 1\n", 10_000) + "  p10000: 1\n",
    "outputs": LINEAR + "losses: {}\n",
    "a mask of many terms": (
        'model: [{out: {op: attention, in: x, num_heads: 2, mask: "'
        + " and ".join(["q - k < 5"] * 140)
        + '"}}]\n'
    ),
    "nested as deep as allowed": (
        f"model: [{{a: {{op: linear, in: x, out: 8}}}}, {{{nested(24, 'silu')}}}, {{out: silu}}]\n"
    ),
    "a wide layer": "model: [{out: {op: linear, in: x, out: 10**18}}]\n",
}


@pytest.mark.parametrize("parts", RIGHT.values(), ids=RIGHT.keys())
def test_large_documents_are_read(parts: str):
    assert timed(document(parts)) == ()


def test_the_limits_themselves_are_allowed():
    steps = "".join(f"  - s{i}: silu\n" for i in range(MAX_STEPS - 2))
    assert timed(document(f"model:\n  - a: {{op: linear, in: x, out: 8}}\n{steps}  - out: silu\n")) == ()
    layers = MAX_TENSORS // 200
    inner = f"[{{a: {{repeat: {layers}, body: [{{l: {{op: linear, out: 8}}}}]}}}}]"
    assert timed(document(repeated("100", inner))) == ()
    assert [f.code for f in timed(document(repeated("101", inner)))] == ["L032"]
    assert MAX_NESTING >= 26


@pytest.mark.parametrize("text", ["", "\0", "é", "a: &a [*a]", "\ud800", "- " * 70, "%YAML 1.1\n---\n{}"])
def test_what_is_no_spec(text: str):
    assert all(found.span is not None for found in timed(text))
    assert timed(text)


NAMES = [
    "a\nb",
    'a"b',
    "a'b",
    "a\\b",
    "a#b",
    "a}b",
    "a{b",
    "a\rb",
    "a\u2028b",
    "a;b",
    "a b",
    "1a",
    "",
    "é",
    "\uff41",
    "__a",
    "if",
    "None",
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "form",
    [
        "params: {{{name}: 8}}\n",
        "losses: {{{name}: {{op: mse, input: y, target: x}}}}\n",
        "blocks: {{{name}: {{body: [silu]}}}}\n",
        "blocks: {{b: {{args: {{{name}: int}}, body: [silu]}}}}\n",
        "blocks: {{b: {{in: {{{name}: '[B]'}}, body: [silu]}}}}\n",
        "model: [{{{name}: {{op: linear, in: x, out: 8}}}}, {{out: silu}}]\n",
        "model: [{{out: {{each: {{{name}: [1]}}, in: x, body: [silu]}}}}]\n",
        "model: [{{a: {{op: linear, in: x, out: 8}}}}, {{push: {name}}}, {{out: silu}}]\n",
    ],
)
def test_nothing_but_an_identifier_is_a_name(form: str, name: str):
    quoted = (
        '"' + name.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r") + '"'
    )
    found = timed(document(form.format(name=quoted)))
    assert {f.code for f in found} & {"S004", "S003", "Y003"}


@settings(max_examples=150)
@given(mutated_texts())
def test_a_changed_text_gives_a_graph_or_located_findings(text: str):
    _check(text)


@settings(max_examples=250)
@given(mutated_trees())
def test_a_changed_tree_gives_a_graph_or_located_findings(text: str):
    _check(text)


def _check(text: str) -> None:
    found = timed(text)
    assert [f for f in found if f.span is None] == []
    assert [f for f in found if not f.hint and not f.code.startswith("Y")] == []
    assert len({(f.code, f.message, f.span) for f in found}) == len(found)
