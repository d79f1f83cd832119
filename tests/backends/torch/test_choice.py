"""What attention=auto picks, and that a model of several implementations computes the same."""

import pytest
import torch

from archspec import api
from archspec.backends.torch.choice import choices, picker
from archspec.errors import UnsupportedError

IDS = torch.randint(0, 50, (2, 70))
SMALL = {"vocab_size": 50, "hidden_size": 32, "num_layers": 4, "num_heads": 2}


def picked(spec: str, device: str) -> dict[str, str]:
    return {each.rule: each.choice.use for each in choices(api.lower(spec), device)}


@pytest.mark.parametrize(
    ("spec", "device", "expected"),
    [
        ("vit", "cuda", {"all pairs count": "sdpa"}),
        ("gpt2", "cpu", {"k <= q and attention_mask[b, k]": "sdpa"}),
        ("mistral", "cuda", {"k <= q and attention_mask[b, k] and q - k < window": "triton"}),
        ("swin", "cuda", {"all pairs count": "sdpa", "part[b, q] == part[b, k]": "sdpa"}),
        ("bloom", "cuda", {"k <= q and attention_mask[b, k]": "triton"}),
    ],
)
def test_what_is_picked(spec: str, device: str, expected: dict[str, str]):
    assert picked(spec, device) == expected


def test_capped_scores_are_left_to_what_can_cap():
    assert set(picked("gemma2", "cpu").values()) == {"eager"}
    assert set(picked("gemma2", "cuda").values()) == {"triton"}


def test_each_attention_gets_its_own(monkeypatch: pytest.MonkeyPatch):
    """Layers with and without a window, each computed in its own way, give what one way gives."""
    monkeypatch.setattr("archspec.model.device", lambda: "cuda")
    mixed = api.compile("modernbert", overrides=SMALL | {"intermediate_size": 64}, attention="auto", seed=0)
    plain = api.compile("modernbert", overrides=SMALL | {"intermediate_size": 64}, attention="eager", seed=0)
    source = str(mixed.source)
    assert "F.scaled_dot_product_attention" in source
    assert " import attention as " in source
    with torch.no_grad():
        assert torch.allclose(mixed(IDS), plain(IDS), atol=1e-6)


def test_the_source_says_what_was_picked_and_why():
    head = api.source("modernbert", attention="auto", device="cuda").split('"""')[1]
    assert "attention=auto for cuda" in head
    assert "triton in layers.*.attn × 14, where attention_mask[b, k] and abs(q - k)" in " ".join(head.split())


def test_unknown_words_are_refused():
    with pytest.raises(UnsupportedError, match="U001"):
        picker("flash", "cpu")
    with pytest.raises(UnsupportedError, match="U005"):
        api.source("vit", attention="auto", device="tpu")
