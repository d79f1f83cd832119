"""A sharded model (FSDP2) runs the kernels as the ordinary operations that they are to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard

import archspec
from tests.backends.torch.emitted import document
from tests.backends.torch.kernels import interpreter as interpreter  # repairs what runs the kernels

SPEC = """
params: {num_layers: 2, size: 32}
inputs: {x: "[B, S, size]"}
model:
  - layers:
      repeat: num_layers
      in: x
      body:
        - residual:
            - norm: layernorm
            - attn: {op: attention, num_heads: 2, mask: causal, window: 5}
outputs: {y: layers}
"""


@pytest.fixture
def one_process(tmp_path: Path) -> Iterator[Any]:
    """A group of one process, whose mesh is the CPU."""
    dist.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    yield init_device_mesh("cpu", (1,))
    dist.destroy_process_group()


def test_gradients_of_a_sharded_model_are_those_of_a_whole_one(one_process: Any, tmp_path: Path):
    path = document(tmp_path, SPEC)
    whole: Any = archspec.compile(path, attention="triton", seed=3)
    sharded: Any = archspec.compile(path, attention="triton")
    sharded.load_state_dict(whole.state_dict())
    for layer in sharded.layers:
        fully_shard(layer, mesh=one_process)
    fully_shard(sharded, mesh=one_process)
    x = torch.randn(2, 11, 32)
    for module in (whole, sharded):
        module(x).square().sum().backward()
    wanted = {name: p.grad for name, p in whole.named_parameters()}
    assert wanted
    for name, p in sharded.named_parameters():
        torch.testing.assert_close(p.grad.full_tensor(), wanted[name])
