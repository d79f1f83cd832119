"""Random models with random rules: what the map checked without weights holds for the weights."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from archspec.weights.arrays import TensorSpec
from tests.weights.models import assert_same, build, from_hub, numbered, to_hub


@dataclass
class Draft:
    """A model and its rules, grown module by module."""

    draw: Callable[[st.SearchStrategy[Any]], Any]
    tensors: dict[str, TensorSpec] = field(default_factory=dict[str, TensorSpec])
    rules: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])

    def size(self, low: int = 1, high: int = 3) -> int:
        return self.draw(st.integers(low, high))

    def add(self, name: str, *shape: int, bias: bool = True) -> None:
        self.tensors[f"{name}.weight"] = TensorSpec(shape)
        if bias:
            self.tensors[f"{name}.bias"] = TensorSpec(shape[:-1])

    def maybe_transposed(self, key: str) -> None:
        if self.draw(st.booleans()):
            self.rule("transpose", key, None)

    def rule(self, kind: str, key: str, value: Any) -> None:
        self.rules.setdefault(kind, {})[key] = value


def plain(model: Draft, at: str) -> None:
    model.add(f"{at}.p", model.size(), model.size())
    model.maybe_transposed(f"{at}.p")


def renamed(model: Draft, at: str) -> None:
    for layer in range(model.size()):
        model.add(f"{at}.{layer}.a.b", model.size(), 2)
    model.rule("rename", f"{at}.*", f"hub_{at}.*.inner")
    model.rule("segments", "a.b", "c")


def rotary(model: Draft, at: str) -> None:
    half, rest = model.size(), model.size(0)
    model.add(f"{at}.rot", model.size() * (2 * half + rest), 2)
    layout = model.draw(st.sampled_from(["interleaved", "half"]))
    model.rule("rope", f"{at}.rot", {"head_dim": 2 * half + rest, "rotary_dim": 2 * half, "hub": layout})


def fused(model: Draft, at: str) -> None:
    groups, width = model.size(), model.size()
    shares = model.draw(st.lists(st.integers(1, 3), min_size=2, max_size=3))
    for part, share in zip("qkv", shares, strict=False):
        model.add(f"{at}.{part}", groups * share * width, 3)
    model.rule("fuse", f"{at}.all", list("qkv"[: len(shares)]))
    model.maybe_transposed(f"{at}.all.weight")
    if model.draw(st.booleans()):
        model.rule("interleave", f"{at}.all", {"groups": groups, "parts": shares})


def cut(model: Draft, at: str) -> None:
    sizes = model.draw(st.lists(st.integers(1, 3), min_size=2, max_size=3))
    model.add(f"{at}.whole", sum(sizes), 3)
    parts = [f"part{place}.x" for place in range(len(sizes))]
    model.rule("split", f"{at}.whole", {"into": parts, "sizes": sizes})
    model.maybe_transposed(f"{at}.part0.x")
    if model.draw(st.booleans()):
        order = model.draw(st.permutations(range(len(sizes))))
        model.rule("reorder", f"{at}.whole", {"order": order, "sizes": sizes})


def stacked(model: Draft, at: str) -> None:
    count, rows = model.size(), model.size()
    for expert in range(count):
        model.add(f"{at}.experts.{expert}.w", rows, 2)
    model.rule("stack", f"{at}.experts.*.w", f"{at}.all")
    model.maybe_transposed(model.draw(st.sampled_from([f"{at}.experts.*.w.weight", f"{at}.all"])))


def unstacked(model: Draft, at: str) -> None:
    experts, rows = model.size(), model.size()
    model.add(f"{at}.gate", experts, rows, 3, bias=False)
    model.add(f"{at}.up", experts, rows, 3, bias=False)
    model.rule("fuse", f"{at}.both", {"from": ["gate", "up"], "axis": 1})
    model.rule("unstack", f"{at}.both", f"{at}.each.*.w")
    model.maybe_transposed(f"{at}.each")


def reshaped(model: Draft, at: str) -> None:
    rows, columns = model.size(), model.size()
    model.add(f"{at}.r", rows, columns, bias=False)
    model.rule("reshape", f"{at}.r", [1, columns, -1])


MODULES = [plain, renamed, rotary, fused, cut, stacked, unstacked, reshaped]


@given(st.data(), st.lists(st.sampled_from(MODULES), min_size=1, max_size=6))
def test_from_hub_undoes_to_hub(data: st.DataObject, modules: list[Callable[[Draft, str], None]]):
    model = Draft(data.draw)
    for place, module in enumerate(modules):
        module(model, f"m{place}")
    if data.draw(st.booleans()):
        model.rules["rename"] = {**model.rules.get("rename", {}), "?": "base"}
    transpose = list(model.rules.pop("transpose", {}))
    weights = build(model.tensors, transpose=transpose, **model.rules)
    ours = numbered(model.tensors)
    hub = to_hub(weights, ours)
    assert {name: array.shape for name, array in hub.items()} == weights.hub_shapes()
    everything = np.concatenate([array.ravel() for array in hub.values()])
    assert sorted(everything) == list(range(everything.size))
    assert_same(from_hub(weights, hub), ours)
    assert_same(to_hub(weights, from_hub(weights, hub)), hub)
