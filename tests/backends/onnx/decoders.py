"""Two layers of attention as a model that decodes: in torch, eager, and in ONNX Runtime, step by step."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import torch
from numpy.typing import NDArray

from archspec import api
from archspec.backends.onnx.emit import Emitter
from archspec.backends.onnx.modes import in_mode
from archspec.backends.onnx.profile import Profile
from archspec.ir.graph import Param
from tests.backends.onnx.ops.harness import session_of

Array = NDArray[Any]
WIDTH = 32
TEXT = """
inputs:
  x: "[B, S, {width}]"
  attention_mask: {{type: "int64[B, past + S]", optional: true}}
stream: S
model:
  - slopes: "cast(iota(4) + 1, float32) / 8"
  - nothing: "cast(iota(4), float) / 2"
  - first: {{op: attention, in: x, num_heads: 4, {options}}}
  - second: {{op: attention, num_heads: 4, {options}}}
outputs: {{y: second}}
"""
PADDED = "mask: causal and padding(attention_mask)"
DECODERS = {
    "causal": "mask: causal",
    "padded": PADDED,
    "turned": f"{PADDED}, rope: {{}}",
    "turned in part": f"{PADDED}, rope: {{dim: 4}}",
    "turned side by side": f"{PADDED}, rope: {{layout: interleaved}}",
    "turned side by side in part": f"{PADDED}, rope: {{layout: interleaved, dim: 6}}, head_dim: 10",
    "turned at angles times a scale": f"{PADDED}, rope: {{scale: 1.25, theta: 100.0}}",
    "shared keys": f"{PADDED}, num_kv_heads: 2, rope: {{}}",
    "one head of keys": "mask: causal, num_kv_heads: 1",
    "wide values": f"{PADDED}, value_dim: 12",
    "capped": f"{PADDED}, softcap: 2.0, num_kv_heads: 2",
    "normed": f"{PADDED}, qk_norm: rmsnorm, rope: {{}}",
    "window": f"{PADDED}, window: 5, rope: {{}}",
    "window, shared keys, capped": f"{PADDED}, window: 5, num_kv_heads: 2, softcap: 2.0",
    "window with sinks": f"{PADDED}, window: 5, sinks: nothing, num_kv_heads: 2",
    "sinks": f"{PADDED}, sinks: nothing",
    "slopes": f"{PADDED}, score_bias: 'slopes[h] * (k - q)'",
    "slopes without padding": "mask: causal, score_bias: 'slopes[h] * (k - q)', scale: 1.0",
}


class Decoder:
    """A model under both, with the same weights."""

    def __init__(self, options: str, profile: Profile, folder: Path, mode: str = "cached") -> None:
        path = folder / "decoder.yaml"
        path.write_text(f"archspec: 1\nname: decoder{TEXT.format(width=WIDTH, options=options)}", "utf-8")
        torch.manual_seed(0)
        self.module: Any = api.compile(path, attention="eager", seed=0).to(getattr(torch, profile.dtype))
        for weight in self.module.parameters():
            torch.nn.init.normal_(weight, std=0.25)
        leave = () if "attention_mask" in options else ("attention_mask",)
        graph, form = in_mode(api.lower(path), mode, leave)
        self.model = Emitter(graph, profile, form, self._weight).model()
        onnx.checker.check_model(ir.to_proto(self.model), full_check=True)
        self.session: Any = session_of(self.model)
        self.dtype = np.dtype(profile.dtype)

    @property
    def kinds(self) -> list[str]:
        return [node.op_type for node in self.model.graph.all_nodes()]

    def _weight(self, path: str, param: Param) -> ir.TensorProtocol:
        return ir.tensor(self.module.state_dict()[path].numpy(), name=path)

    def whole(self, x: Array, mask: Array) -> Array:
        """What torch makes of everything at once."""
        with torch.no_grad():
            return self.module(torch.from_numpy(x), attention_mask=torch.from_numpy(mask)).numpy()

    def steps(self, x: Array, mask: Array, lengths: Sequence[int]) -> Array:
        """What ONNX Runtime makes of so many positions at a time; the first step has an empty past."""
        inputs, outputs = self.session.get_inputs(), [each.name for each in self.session.get_outputs()]
        state = {
            each.name: self._empty(each.shape, len(x)) for each in inputs if each.name.startswith("past")
        }
        done: list[Array] = []
        for end, length in zip(np.cumsum(lengths), lengths, strict=True):
            feed = {"x": x[:, end - length : end], "attention_mask": mask[:, :end], **state}
            feed = {each.name: feed[each.name] for each in inputs}
            found = dict(zip(outputs, self.session.run(None, feed), strict=True))
            state = {name: found[name.replace("past_key_values", "present")] for name in state}
            done.append(found["y"])
        return np.concatenate(done, axis=1)

    def _empty(self, shape: Sequence[int | str], batch: int) -> Array:
        """State before the first step."""
        sizes = [x if isinstance(x, int) else batch if "batch" in x else 0 for x in shape]
        return np.zeros(sizes, self.dtype)

    def distance(self, lengths: Sequence[int], mask: Array, seed: int = 0) -> float:
        """The largest difference at positions that are no padding, as a part of the largest number there."""
        shape = (len(mask), sum(lengths), WIDTH)
        x = np.random.default_rng(seed).standard_normal(shape).astype(self.dtype)
        wanted, found = (
            np.asarray(y, np.float64) for y in (self.whole(x, mask), self.steps(x, mask, lengths))
        )
        there = mask[..., None].astype(bool)
        assert np.isfinite(np.where(there, found, 0.0)).all()
        return float(
            np.where(there, np.abs(found - wanted), 0.0).max() / np.where(there, np.abs(wanted), 0.0).max()
        )


def ones(batch: int, length: int) -> Array:
    return np.ones((batch, length), np.int64)


def left(batch: int, length: int) -> Array:
    """Padding before the first row."""
    mask = ones(batch, length)
    mask[0, : length // 3] = 0
    return mask


def right(batch: int, length: int) -> Array:
    """Padding behind the first row."""
    return left(batch, length)[:, ::-1].copy()
