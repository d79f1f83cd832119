"""`archspec check` of a deep spec against a shallow one, and the command's start-up."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import archspec
from benchmarks.pairs import paired, show

DEEP = """archspec: 1
name: deep
params:
  vocab_size: 128256
  hidden_size: 16384
  num_layers: {layers}
  num_heads: 128
  num_kv_heads: 8
  intermediate_size: 53248
inputs: {{input_ids: "int64[B, S]"}}
stream: S
blocks:
  layer:
    in: {{x: "[B, S, hidden_size]"}}
    body:
      - residual:
          - norm: rmsnorm
          - attn:
              op: attention
              num_heads: num_heads
              num_kv_heads: num_kv_heads
              bias: false
              mask: causal
              rope: {{theta: 5e5}}
      - residual:
          - mlp_norm: rmsnorm
          - mlp: {{op: mlp, intermediate_size: intermediate_size, gated: true, activation: silu, bias: false}}
model:
  - embed: {{op: embedding, in: input_ids, num: vocab_size, dim: hidden_size}}
  - layers: {{repeat: num_layers, block: layer}}
  - norm: rmsnorm
  - head: {{op: linear, out: vocab_size, bias: false}}
outputs: {{logits: head}}
expect: {{params: {params}}}
"""


def spec(layers: int) -> str:
    """A 405B-shaped decoder with this many layers."""
    hidden, inner, vocab = 16384, 53248, 128256
    layer = 2 * hidden * hidden + 2 * hidden * 1024 + 3 * hidden * inner + 2 * hidden
    return DEEP.format(layers=layers, params=layers * layer + 2 * vocab * hidden + hidden)


def run(repeats: int, threads: int) -> None:
    """In one process: load, lower, verify and count."""
    del threads
    with tempfile.TemporaryDirectory() as folder:
        deep, shallow = Path(folder, "deep.yaml"), Path(folder, "shallow.yaml")
        deep.write_text(spec(126))
        shallow.write_text(spec(12))
        pair = paired(lambda: archspec.check(deep), lambda: archspec.check(shallow), repeats * 4)
        rows = {"126 layers (ours), 12 (peer)": pair}
    show("check: 126 layers of 405B shape against 12", rows, "12 layers")
    for command in (["--help"], ["check", "gpt2"], ["show", "gpt2"]):
        print(f"archspec {' '.join(command):12} {_start_up(command) * 1e3:6.0f} ms, median of 7 processes")


def _start_up(command: list[str]) -> float:
    times: list[float] = []
    for _ in range(7):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-m", "archspec", *command], check=True, capture_output=True)
        times.append(time.perf_counter() - start)
    return sorted(times)[3]
