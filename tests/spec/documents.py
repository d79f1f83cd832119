"""Documents that extend each other, held in memory."""

from collections.abc import Mapping as Files
from pathlib import Path
from typing import Any

from archspec.errors import Diagnostic, Source, Span, SpecError
from archspec.spec.extend import resolve
from archspec.spec.node import Mapping, plain
from archspec.spec.yaml import load_text

BASE = """\
archspec: 1
name: base
summary: The parent.
source: A paper.
params: {hidden_size: 64, num_layers: 2, dropout: 0.1}
presets:
  small: {hidden_size: 32, num_layers: 1}
defaults:
  attention: {num_heads: 4, bias: false}
inputs: {input_ids: "int64[B, S]"}
blocks:
  block:
    in: {x: "[B, S, hidden_size]"}
    body:
      - residual:
          - ln_1: layernorm
          - attn: {op: attention, mask: causal}
          - dropout: {p: dropout}
      - residual:
          shortcut: {conv_shortcut: {op: linear, out: 64}}
          body:
            - ln_2: layernorm
            - mlp: {op: mlp, activation: gelu}
            - dropout: {p: dropout}
      - q, k, v: "split(x, 3, axis=-1)"
      - parallel: [[{left: linear}], [{right: linear}, gelu]]
model:
  - wte: {op: embedding, num: 10, dim: 64}
  - dropout: {p: dropout}
  - h: {repeat: num_layers, block: block}
  - towers:
      repeat: 2
      body:
        - res: {op: linear}
        - inner: [{deep: linear}, silu]
  - up: {each: {m: [1, 2]}, body: [{conv: linear}, {inner: {body: [{last: linear}]}}]}
  - silu
  - lm_head: {op: linear, out: 10}
outputs: {logits: lm_head, hidden: h}
tie: {lm_head.weight: wte.weight}
losses: {lm: {op: cross_entropy, shift: 1}}
weights:
  hf:
    class: Base
    rename: {h: layers, h.*.attn: layers.*.attention, h.*: layers.*}
expect: {params: 100}
"""


def read(name: str, text: str) -> Mapping:
    node = load_text(Source(name, text))
    assert isinstance(node, Mapping)
    return node


def resolved(text: str, files: Files[str, str] | None = None, name: str = "child.yaml") -> Mapping:
    """The document `text` over its parents, `base.yaml` among them."""
    known = {"base.yaml": BASE, name: text, **(files or {})}

    def find(wanted: str, path: Path | None, span: Span) -> tuple[Mapping, Path | None]:
        assert path is not None
        assert span.source.name == path.name
        if wanted not in known:
            raise SpecError(Diagnostic("F001", f"no {wanted}", span))
        return read(wanted, known[wanted]), Path(wanted)

    return resolve(read(name, text), Path(name), find=find)


def patched(*verbs: str) -> Mapping:
    """The parent document after some verbs, each in flow style."""
    return resolved("extends: base.yaml\npatch:\n" + "".join(f"  - {verb}\n" for verb in verbs))


def at(node: Mapping, *keys: str | int) -> Any:
    """What stands under keys and list positions."""
    value: Any = plain(node)
    for key in keys:
        value = value[key]
    return value
