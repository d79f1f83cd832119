from typing import Any

import numpy as np
import pytest

from archspec.errors import WeightsError
from archspec.weights.arrays import TensorSpec
from archspec.weights.mapping import WeightMap
from archspec.weights.reading import UnmatchedError, match
from tests.weights.models import DECODER, DECODER_RULES, DECODER_TIES, V, build, numbered, table, to_hub

WEIGHTS = build(DECODER, DECODER_TIES, **DECODER_RULES)


def stored(weights: WeightMap, **changes: TensorSpec | None) -> dict[str, TensorSpec]:
    """What a file of the map holds, with names changed (`a__b`), added or taken out (None)."""
    named = {name.replace("__", "."): spec for name, spec in changes.items()}
    whole = {**{name: weights.hub[name] for name in weights.hub_shapes()}, **named}
    return {name: spec for name, spec in whole.items() if spec is not None}


def read(weights: WeightMap, hub: dict[str, Any]) -> dict[str, Any]:
    specs = {name: TensorSpec(array.shape) for name, array in hub.items()}
    return dict(match(weights, specs).run(hub.__getitem__, np))


def codes(error: WeightsError) -> list[str]:
    return [found.code for found in error.diagnostics]


def test_a_file_without_the_prefix():
    hub = to_hub(WEIGHTS, numbered(DECODER))
    bare = {name.removeprefix("transformer."): array for name, array in hub.items()}
    assert bare.keys() != hub.keys()
    np.testing.assert_array_equal(read(WEIGHTS, bare)["wte.weight"], hub["transformer.wte.weight"])


def test_tensors_to_ignore_may_be_there():
    extra = TensorSpec((1, 1, 7, 7), "bool")
    found = match(
        WEIGHTS, {**stored(WEIGHTS), "h.0.attn.bias": extra, "transformer.h.1.attn.masked_bias": extra}
    )
    assert "h.0.attn.bias" not in found.places.values()


def test_older_spellings_are_read():
    weights = build(
        table(ln__weight=(2,)), accept={"gamma": "weight"}, rename={"ln": "m.ln"}, base_prefix="m"
    )
    for name in ("m.ln.weight", "ln.weight", "m.ln.gamma", "ln.gamma"):
        assert read(weights, {name: np.arange(2)})["ln.weight"].tolist() == [0, 1]


def test_a_repeated_tied_tensor_must_be_equal():
    hub = to_hub(WEIGHTS, numbered(DECODER))
    tied = hub["transformer.wte.weight"]
    assert read(WEIGHTS, {**hub, "lm_head.weight": tied.copy()}).keys() == DECODER.keys()
    with pytest.raises(
        WeightsError, match="'transformer.wte.weight' and 'lm_head.weight' are tied but differ"
    ):
        read(WEIGHTS, {**hub, "lm_head.weight": tied + 1})


def test_a_tied_tensor_may_be_stored_under_either_name():
    hub = to_hub(WEIGHTS, numbered(DECODER))
    tied = hub.pop("transformer.wte.weight")
    np.testing.assert_array_equal(read(WEIGHTS, {**hub, "lm_head.weight": tied})["wte.weight"], tied)


def test_nan_does_not_untie():
    weights = build(table(a=(2,)), {"b": "a"})
    assert read(weights, {"a": np.array([np.nan, 1]), "b": np.array([np.nan, 1])}).keys() == {"a"}


def test_an_alias_is_read_or_checked():
    weights = build(table(a=(2,), b=(2,)), alias={"x": "a"})
    one, other = np.array([1, 2]), np.array([3, 4])
    assert read(weights, {"x": one, "b": other})["a"].tolist() == [1, 2]
    with pytest.raises(WeightsError, match="W043"):
        read(weights, {"a": one, "x": other, "b": other})


def test_an_alias_of_one_part():
    weights = build(table(qk=(4,)), split={"qk": ["q", "k"]}, alias={"old_q": "q"})
    assert read(weights, {"old_q": np.array([1, 2]), "k": np.array([3, 4])})["qk"].tolist() == [1, 2, 3, 4]


def test_missing_and_unused_are_listed_together_and_whole():
    names = [f"t{place}" for place in range(30)]
    weights = build({name: TensorSpec((1,)) for name in names})
    with pytest.raises(UnmatchedError) as error:
        match(weights, {f"{name}x": TensorSpec((1,)) for name in names})
    assert codes(error.value) == ["W040", "W041"]
    assert error.value.missing == tuple(names)
    assert error.value.unused == tuple(f"{name}x" for name in names)
    assert "30 tensors are missing: t0, t1," in str(error.value)
    assert "and 10 more" in str(error.value)
    assert "did you mean 't0x'?" in str(error.value)


def test_half_of_a_tied_tensor_is_of_no_use():
    weights = build(table(a=(4,)), {"b": "a"}, split={"b": ["q", "k"]})
    with pytest.raises(UnmatchedError) as error:
        match(weights, {"a": TensorSpec((4,)), "q": TensorSpec((2,))})
    assert error.value.unused == ("q",)


@pytest.mark.parametrize(
    ("name", "spec", "words"),
    [
        ("transformer__wte__weight", TensorSpec((V, 9)), "is [11, 9], but the model needs [11, 8]"),
        ("transformer__h__0__attn__c_attn__weight", TensorSpec((24, 8)), "it is stored transposed"),
        ("lm_head__weight", TensorSpec((V + 1, 8)), "'lm_head.weight' is [12, 8]"),
        ("transformer__ln_f__bias", TensorSpec((8,), "int64"), "is int64, but the model needs float32"),
        ("transformer__ln_f__bias", TensorSpec((8,), "bool"), "is bool, but the model needs float32"),
        ("transformer__ln_f__bias", TensorSpec((8,), "float8_e4m3fn"), "is float8_e4m3fn"),
    ],
)
def test_wrong_shapes_and_dtypes(name: str, spec: TensorSpec, words: str):
    with pytest.raises(WeightsError) as error:
        match(WEIGHTS, stored(WEIGHTS, **{name: spec}))
    assert codes(error.value) == ["W042"]
    assert words in str(error.value)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_another_float_will_do(dtype: str):
    match(WEIGHTS, stored(WEIGHTS, transformer__ln_f__bias=TensorSpec((8,), dtype)))


def test_one_tensor_under_two_names():
    with pytest.raises(WeightsError) as error:
        match(WEIGHTS, {**stored(WEIGHTS), "ln_f.bias": TensorSpec((8,))})
    assert codes(error.value) == ["W044"]


def test_everything_wrong_is_told_at_once():
    changed = stored(
        WEIGHTS, transformer__wte__weight=None, nope=TensorSpec((1,)), transformer__wpe__weight=TensorSpec(())
    )
    with pytest.raises(UnmatchedError) as error:
        match(WEIGHTS, changed)
    assert codes(error.value) == ["W040", "W041", "W042"]
    assert error.value.missing == ("transformer.wte.weight",)
