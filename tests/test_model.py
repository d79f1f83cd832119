"""Verbs that run a model: compile, build with weights, generate, predict, export."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import archspec
from archspec.backends.torch.runtime.load import module_from_source
from archspec.errors import ArchspecError, UnsupportedError, WeightsError
from archspec.model import make
from tests.checkpoints import DECODER, ENCODER, IDS, SEQ2SEQ, Reference
from tests.cli.runner import written

SMALL = DECODER.params
VECTORS = """\
archspec: 1
name: vectors
inputs: {x: "float[B, S, 4]"}
model:
  - y: {op: linear, in: x, out: 2}
outputs: {y: y}
"""


def codes(error: ArchspecError) -> list[str]:
    return [found.code for found in error.diagnostics]


def state(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    return dict(module.state_dict())


def same(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    a, b = state(one), state(other)
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("decoder")
    DECODER.save(path)
    return path


def test_what_runs_is_the_source():
    module = archspec.compile("gpt2", overrides=SMALL, seed=0)
    assert module.source == archspec.source(archspec.load("gpt2", overrides=SMALL))
    assert module.graph == archspec.lower(archspec.load("gpt2", overrides=SMALL))
    assert not module.training
    assert type(module).__module__.startswith("archspec_emitted_gpt2_")


def test_a_seed_decides_the_weights_and_nothing_else():
    torch.manual_seed(7)
    before = torch.get_rng_state()
    one, same_seed, other = (archspec.compile("gpt2", overrides=SMALL, seed=seed) for seed in (1, 1, 2))
    assert same(one, same_seed)
    assert not same(one, other)
    assert torch.equal(torch.get_rng_state(), before)


def test_without_a_seed_the_weights_are_drawn_from_torchs_generator():
    torch.manual_seed(7)
    one = archspec.compile("gpt2", overrides=SMALL)
    torch.manual_seed(7)
    assert same(one, archspec.compile("gpt2", overrides=SMALL))


def test_reading_weights_draws_no_random_numbers(folder: Path):
    torch.manual_seed(7)
    before = torch.get_rng_state()
    archspec.compile("gpt2", overrides=SMALL, weights=folder)
    assert torch.equal(torch.get_rng_state(), before)


def test_reading_weights_waits_for_no_draw_within_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """torch draws a truncated normal again until it lies in bounds, which undrawn memory may never do."""
    path = tmp_path / "cut.yaml"
    path.write_text(VECTORS.replace("out: 2", "out: 2, init: trunc_normal(0.02)"), encoding="utf-8")
    model = archspec.compile(path, seed=0)
    weights = state(model)

    def drawn_again(*_: object, **__: object) -> torch.Tensor:
        raise AssertionError("a start that weights overwrite is drawn again")

    monkeypatch.setattr(torch, "empty_like", drawn_again)
    again = make(str(model.source), archspec.lower(archspec.load(path)), state=weights)
    assert same(model, again)


@pytest.mark.parametrize("dtype", ["bfloat16", torch.float64])
def test_a_model_is_built_in_the_dtype_asked_for(dtype: str | torch.dtype):
    module = archspec.compile("gpt2", overrides=SMALL, seed=0, dtype=dtype)
    expected = torch.bfloat16 if dtype == "bfloat16" else torch.float64
    assert {weight.dtype for weight in module.parameters()} == {expected}


@pytest.mark.parametrize("dtype", ["bfloat", "int64", "nn"])
def test_what_is_no_dtype_is_refused(dtype: str):
    with pytest.raises(UnsupportedError) as error:
        archspec.compile("gpt2", overrides=SMALL, seed=0, dtype=dtype)
    assert codes(error.value) == ["X005"]


@pytest.mark.parametrize("reference", [DECODER, SEQ2SEQ], ids=lambda r: r.spec)
def test_greedy_tokens_are_those_of_the_reference(reference: Reference, tmp_path: Path):
    model = reference.save(tmp_path)
    module = archspec.compile(reference.spec, overrides=reference.params, weights=tmp_path)
    start = archspec.start_token(archspec.load(reference.spec, overrides=reference.params))
    ours = list(archspec.generate(module, IDS, limit=12, start=start))
    assert ours == reference.greedy(model, 12)
    assert len(set(ours)) > 2, "the reference should say something"


def test_one_pass_gives_shapes_and_the_likeliest_ids(tmp_path: Path):
    model = ENCODER.save(tmp_path)
    module = archspec.compile("bert", overrides=ENCODER.params, weights=tmp_path)
    (logits,) = archspec.predict(module, IDS)
    assert (logits.name, logits.shape) == ("logits", (1, len(IDS), 64))
    with torch.no_grad():
        theirs = model(torch.tensor([IDS])).logits[0].softmax(-1)
    best = [row[0] for row in logits.likeliest]
    assert [token for token, _ in best] == theirs.argmax(-1).tolist()
    torch.testing.assert_close(torch.tensor([share for _, share in best]), theirs.max(-1).values)


def test_generation_ends_behind_the_end_token():
    module = archspec.compile("gpt2", overrides=SMALL, seed=0)
    tokens = list(archspec.generate(module, IDS, limit=10, temperature=1.0, seed=1))
    cut = list(archspec.generate(module, IDS, limit=10, temperature=1.0, seed=1, eos=tokens[3]))
    assert cut == tokens[: tokens.index(tokens[3]) + 1]
    assert list(archspec.generate(module, IDS, limit=0)) == []


@pytest.mark.parametrize(
    ("prompt", "limit", "code"),
    [([64], 3, "X006"), ([1] * 33, 1, "X006"), ([1] * 30, 9, "X006"), ([], 3, "X004")],
)
def test_a_prompt_outside_of_the_tables_is_a_finding(prompt: list[int], limit: int, code: str):
    module = archspec.compile("gpt2", overrides=SMALL, seed=0)
    with pytest.raises(ArchspecError) as error:
        list(archspec.generate(module, prompt, limit=limit))
    assert codes(error.value) == [code]


def test_scores_that_are_no_numbers_are_a_finding():
    module = archspec.compile("gpt2", overrides=SMALL, seed=0)
    with torch.no_grad():
        next(module.parameters()).fill_(torch.nan)
    with pytest.raises(ArchspecError) as error:
        list(archspec.generate(module, IDS))
    assert codes(error.value) == ["X007"]


def test_a_model_of_something_else_than_ids_cannot_be_run(tmp_path: Path):
    module = archspec.compile(written(tmp_path, VECTORS), seed=0)
    with pytest.raises(ArchspecError) as error:
        archspec.predict(module, IDS)
    assert codes(error.value) == ["X004"]


def test_attention_weights_by_layer():
    module = archspec.compile("gpt2", overrides=SMALL, seed=0, attention="eager")
    weights = archspec.attention_weights(module, input_ids=torch.tensor([IDS]))
    assert list(weights) == ["h.0.attn", "h.1.attn"]
    for layer in weights.values():
        assert layer.shape == (1, 2, len(IDS), len(IDS))
        torch.testing.assert_close(layer.sum(-1), torch.ones(1, 2, len(IDS)))
        assert not layer.triu(1).any()


def test_each_run_of_a_shared_layer_has_attention_weights(tmp_path: Path):
    spec = tmp_path / "spec.yaml"
    spec.write_text("""archspec: 1
name: shared
inputs: {x: "[B, S, 4]"}
model:
  - h: x
  - layers: {repeat: 3, shared: true, body: [{residual: [{attn: {op: attention, num_heads: 2}}]}]}
outputs: {y: layers}
""")
    module = archspec.compile(spec, attention="eager", seed=0)
    weights = archspec.attention_weights(module, x=torch.randn(1, 5, 4))
    assert [*weights] == ["layers.0.attn", "layers.0.attn@2", "layers.0.attn@3"]
    assert not torch.equal(weights["layers.0.attn"], weights["layers.0.attn@2"])


def test_fused_attention_has_no_weights_to_give():
    module = archspec.compile("gpt2", overrides=SMALL, seed=0)
    with pytest.raises(UnsupportedError) as error:
        archspec.attention_weights(module, input_ids=torch.tensor([IDS]))
    assert codes(error.value) == ["X008"]


def test_a_build_runs_alone_and_its_weights_come_back(tmp_path: Path):
    spec = archspec.load("gpt2", overrides=SMALL)
    files = archspec.build(spec, tmp_path / "out", init=3)
    assert [file.name for file in files] == ["model.py", "spec.resolved.yaml", "model.safetensors"]
    module = archspec.compile(spec, seed=3)
    assert files[0].read_text() == module.source
    assert archspec.lower(files[1]) == module.graph
    alone = vars(module_from_source(files[0].read_text(), "alone"))["GPT2"]()
    stored = load_file(files[2])
    assert set(state(alone)) - set(stored) == {"lm_head.weight"}
    assert same(module, archspec.compile(spec, weights=files[2]))


def test_a_build_without_weights_has_two_files(tmp_path: Path):
    archspec.build(archspec.load("gpt2", overrides=SMALL), tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["model.py", "spec.resolved.yaml"]


def test_a_build_that_fails_leaves_nothing(tmp_path: Path, folder: Path):
    wrong = archspec.load("gpt2", overrides=SMALL | {"hidden_size": 32})
    with pytest.raises(WeightsError) as error:
        archspec.build(wrong, tmp_path / "out", weights=folder)
    assert set(codes(error.value)) == {"W042"}
    assert list(tmp_path.iterdir()) == []


def test_weights_that_do_not_fit_give_both_lists(folder: Path):
    with pytest.raises(WeightsError) as error:
        archspec.compile("gpt2", overrides=SMALL | {"num_layers": 3}, weights=folder)
    assert codes(error.value) == ["W040"]


@pytest.mark.parametrize("source", ["module", "hub", "native"])
def test_an_export_is_what_was_read(source: str, tmp_path: Path, folder: Path):
    spec = archspec.load("gpt2", overrides=SMALL)
    module = archspec.compile(spec, weights=folder)
    native = archspec.build(spec, tmp_path / "native", weights=folder)[2]
    given: Any = {"module": module, "hub": folder, "native": native}[source]
    archspec.export_hf(given, spec, tmp_path / "out")
    assert same(module, archspec.compile(spec, weights=tmp_path / "out"))
    theirs, ours = load_file(folder / "model.safetensors"), load_file(tmp_path / "out" / "model.safetensors")
    assert theirs.keys() == ours.keys()
    assert all(torch.equal(theirs[name], ours[name]) for name in theirs)
