"""The explanations of N, T and I codes: their examples do what they say."""

import re

import pytest

from archspec.errors import ArchspecError, Source
from archspec.explain import codes, explain
from archspec.ir.text import read
from archspec.ir.verify import verify
from archspec.lowering.lower import lower
from archspec.spec.spec import read_spec
from archspec.spec.yaml import load_text

_EXAMPLE = re.compile(r"^(Wrong|Right):\n\n```(yaml|ir)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_TAIL = re.compile(r"^(?:defaults|output|loss|tie) .*", re.MULTILINE | re.DOTALL)
SPEC = {
    "params": "params: {hidden_size: 8}\n",
    "inputs": 'inputs: {x: "float[B, S, 8]", ids: "int64[B, S]", image: "float[B, 8, H, W]"}\n',
    "model": 'model: [{out: "x * hidden_size"}]\n',
    "outputs": "outputs: {out: out}\n",
}
HEAD = 'graph example\nsummary ""\nsource ""\ndims B, S\n\nroot example example\n'
SCOPE = (
    "let width = 8",
    "input %x: float[B, S, width]",
    "input %ids: i64[B, S]",
    "input %mask?: i64[B, S]",
    "param %w: float[4, width] = normal(0, 0.02)",
)


def examples() -> list[tuple[str, str, str, str]]:
    """Every example: code, wrong or right, language, text."""
    return [
        (code, *found) for code in codes() if code[0] in "NTI" for found in _EXAMPLE.findall(explain(code))
    ]


def spec(part: str) -> str:
    """A whole spec of which the example is a part."""
    key = part.split(":", 1)[0]
    part = part.replace("model:\n", 'model:\n  - start: "x * 2"\n')
    return "archspec: 1\nname: example\nsummary: Example.\nsource: none\n" + "".join(
        (SPEC | {key: part}).values()
    )


def ir(part: str) -> str:
    """A whole graph of which the example is a part."""
    tail = _TAIL.search(part)
    lines = [*SCOPE, *part[: tail.start() if tail else None].splitlines()]
    lines += [] if "return %y" in lines else ["return %x"]
    return HEAD + "".join(f"  {line}\n" for line in lines) + (tail.group() if tail else "")


def found_in(language: str, text: str) -> list[str]:
    """The codes of the findings, and T codes inside their messages."""
    try:
        if language == "ir":
            verify(read(ir(text)))
        else:
            lower(read_spec(load_text(Source("example.yaml", spec(text)))))
    except ArchspecError as error:
        return [code for d in error.diagnostics for code in (d.code, *re.findall(r"\bT\d{3}\b", d.message))]
    return []


@pytest.mark.parametrize(("code", "kind", "language", "text"), examples())
def test_an_example_does_what_it_says(code: str, kind: str, language: str, text: str):
    found = found_in(language, text)
    assert (code in found) if kind == "Wrong" else (found == [])
