"""The forward method: attention weights open to hooks, dropout in training only, and torch's compilers."""

import inspect
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.export import Dim, export

from archspec import api
from tests.backends.torch.emitted import document

GPT2: dict[str, Any] = {
    "vocab_size": 31,
    "max_positions": 40,
    "hidden_size": 24,
    "num_layers": 2,
    "num_heads": 3,
}
T5 = {"vocab_size": 31, "hidden_size": 24, "num_encoder_layers": 2, "num_heads": 3, "head_dim": 8}
UNET: dict[str, Any] = {
    "channels": "[8, 16]", "attend_at": "[true, false]", "num_res_blocks": 1, "groups": 4, "num_heads": 2,
    "text_hidden_size": 12,
}  # fmt: skip
WINDOWS = """
params: {hidden_size: 16}
inputs: {x: "[B, S, hidden_size]", keep: {type: "bool[B, past + S]", optional: true}}
stream: S
model:
  - h:
      repeat: 4
      in: x
      vary: {attn.window: {cycle: [2, null]}}
      body:
        - residual:
            - attn: {op: attention, num_heads: 4, num_kv_heads: 2, rope: {}, mask: causal and padding(keep)}
outputs: {y: h}
"""


def compiled(spec: str | Path, attention: str = "eager", **settings: object) -> Any:
    return api.compile(spec, overrides=settings, attention=attention, seed=0)


def ids(*shape: int) -> Tensor:
    return torch.randint(31, shape, generator=torch.Generator().manual_seed(0))


def test_weights_are_the_softmax_of_what_may_be_seen():
    model = compiled("gpt2", **GPT2)
    tokens, mask = ids(2, 7), torch.tensor([[1] * 7, [0, 0, 1, 1, 1, 0, 1]])
    weights = api.attention_weights(model, input_ids=tokens, attention_mask=mask)
    assert weights.keys() == {"h.0.attn", "h.1.attn"}
    seen = torch.ones(7, 7).tril().bool() & mask[:, None, None, :].bool()
    some = seen.any(-1).expand(2, 3, 7)
    for found in weights.values():
        torch.testing.assert_close(found.sum(-1)[some], torch.ones(int(some.sum())))
        assert not found[~seen.expand_as(found) & some[..., None]].any()
    torch.testing.assert_close(weights["h.0.attn"][some], by_hand(model, tokens, seen)[some])


def by_hand(model: Any, tokens: Tensor, seen: Tensor) -> Tensor:
    """The first layer's weights from its matrices."""
    block = model.h[0]
    x = block.ln_1(model.wte(tokens) + model.wpe(torch.arange(tokens.shape[1])))
    q, k, _ = (part.reshape(*tokens.shape, 3, 8) for part in block.attn.qkv(x).split(24, dim=-1))
    scores = torch.einsum("bqhe,bkhe->bhqk", q, k) / 8**0.5
    return torch.where(seen, scores, -torch.inf).softmax(-1)


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_dropout_is_for_training(attention: str):
    model = compiled("gpt2", attention, **GPT2, dropout=0.3)
    tokens = ids(2, 9)
    assert torch.equal(model(tokens), model(tokens))
    plain = compiled("gpt2", attention, **GPT2, dropout=0.0)
    plain.load_state_dict(model.state_dict())
    torch.testing.assert_close(plain(tokens), model(tokens))
    assert not torch.equal(model.train()(tokens), model(tokens))
    assert torch.equal(plain.train()(tokens), plain(tokens))


def test_dropout_of_the_weights_keeps_their_mean(tmp_path: Path):
    spec = document(
        tmp_path,
        """
inputs: {x: "[B, S, 8]"}
model: [{attn: {op: attention, in: x, num_heads: 2, dropout: 0.5}}]
outputs: {y: attn}
""",
    )
    model = compiled(spec, "sdpa").train()
    x = torch.randn(1, 5, 8, generator=torch.Generator().manual_seed(1)).expand(4000, 5, 8)
    with torch.no_grad():
        torch.testing.assert_close(model(x).mean(0), model.eval()(x)[0], atol=0.05, rtol=0)


CASES = [
    ("gpt2", GPT2, {"input_ids": (2, 7)}),
    ("t5", T5, {"input_ids": (2, 7), "decoder_input_ids": (2, 5)}),
]


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize(("spec", "settings", "shapes"), CASES)
def test_compiles_whole(
    spec: str, settings: dict[str, int], shapes: dict[str, tuple[int, int]], attention: str
):
    model = compiled(spec, attention, **settings)
    given = {name: ids(*shape) for name, shape in shapes.items()}
    torch.compiler.reset()
    whole = torch.compile(model, fullgraph=True, backend="eager")
    torch.testing.assert_close(whole(**given), model(**given))


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize(("spec", "settings", "shapes"), CASES)
def test_exports_with_free_sizes(
    spec: str, settings: dict[str, int], shapes: dict[str, tuple[int, int]], attention: str
):
    model = compiled(spec, attention, **settings)
    given = {name: ids(*shape) for name, shape in shapes.items()}
    free = {name: {0: Dim.DYNAMIC, 1: Dim.DYNAMIC} for name in shapes}
    program = export(model, (), given, dynamic_shapes=free).module()
    other = {name: ids(3, length + 4) for name, (_, length) in shapes.items()}
    torch.testing.assert_close(program(**other), model(**other))


def test_an_image_model_compiles_whole_and_exports():
    model = api.compile("sd15", graph="unet", overrides=UNET, attention="sdpa", seed=0)
    given = {
        "sample": torch.randn(2, 4, 16, 8),
        "timestep": torch.tensor([3, 900]),
        "encoder_hidden_states": torch.randn(2, 5, 12),
    }
    torch.compiler.reset()
    whole = torch.compile(model, fullgraph=True, backend="eager")
    torch.testing.assert_close(whole(**given), model(**given))
    program = export(model, (), given).module()
    torch.testing.assert_close(program(**given), model(**given))


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_layers_with_windows_decode_step_by_step(tmp_path: Path, attention: str):
    model = compiled(document(tmp_path, WINDOWS), attention)
    x = torch.randn(2, 9, 16, generator=torch.Generator().manual_seed(2))
    keep = torch.tensor([[True] * 9, [False, False, *[True] * 7]])
    for mask in (None, keep):
        cache = model.make_cache(9)
        parts = [
            model(x[:, a:b], None if mask is None else mask[:, :b], cache)
            for a, b in ((0, 4), (4, 5), (5, 9))
        ]
        real = torch.ones(2, 9).bool() if mask is None else mask
        torch.testing.assert_close(torch.cat(parts, 1)[real], model(x, mask)[real])


def test_a_full_cache_says_so():
    model = compiled("gpt2", "sdpa", **GPT2)
    cache = model.make_cache(6)
    model(ids(1, 4), cache=cache)
    with pytest.raises(ValueError, match="^the cache holds 6 tokens, not 7$"):
        model(ids(1, 3), cache=cache)


LOSS = """
inputs: {x: "[B, 4]", spare: "[B]", y: {type: "[B, 4]", optional: true}}
model: [{a: {op: relu, in: x}}]
outputs: {out: a}
losses: {error: {op: mse, input: out, target: y}}
"""


def test_the_signature_has_every_input_but_what_only_losses_read(tmp_path: Path):
    model: Any = api.compile(document(tmp_path, LOSS), seed=0)
    assert list(inspect.signature(model.forward).parameters) == ["x", "spare"]
    assert list(inspect.signature(model.loss).parameters) == ["x", "spare", "y"]


def test_a_model_of_nothing_is_on_the_default_device(tmp_path: Path):
    text = 'params: {n: 5}\ninputs: {}\nmodel: [{y: "iota(n) + 0.5"}]\noutputs: {y: y}\n'
    model = compiled(document(tmp_path, text))
    assert model().tolist() == [0.5, 1.5, 2.5, 3.5, 4.5]
    with torch.device("meta"):
        assert model().device.type == "meta"
