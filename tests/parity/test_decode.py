"""Decoding with a cache gives what the whole sequence gives at once, and the tokens of the reference."""

from dataclasses import replace
from functools import partial
from itertools import accumulate
from typing import Any

import pytest
import torch
import transformers
from torch import Tensor

from archspec import api_run
from tests.parity.catalog import ALL, Decode, Model
from tests.parity.conftest import Rigs
from tests.parity.rig import EAGER, Inputs, Rig

DECODERS = [(model, model.decode) for model in ALL if model.decode]
CASES = [pytest.param(m, case, id=f"{m.name}-{case}") for m, _ in DECODERS for case in m.cases]
PROMPTS = [pytest.param(m, d, case, id=f"{m.name}-{case}") for m, d in DECODERS for case in d.generate]
GENERATORS = [pytest.param(m, d, id=m.name) for m, d in DECODERS if d.generate]
NEW = 12


def pieces(length: int, uneven: bool) -> list[int]:
    """Lengths of the steps: one token at a time, or a long piece, one token, then what comes."""
    if not uneven:
        return [1] * length
    first = length // 3
    return [first, 1, 2, length - first - 3]


def stepwise(rig: Rig, module: Any, inputs: Inputs, lengths: list[int]) -> Inputs:
    """The outputs of a sequence fed piece by piece; those that do not grow must be the same each time."""
    decode = rig.model.decode
    assert decode
    cache = module.make_cache(sum(lengths))
    results: list[Inputs] = []
    for end, length in zip(accumulate(lengths), lengths, strict=True):
        results.append(rig.run(module, _piece(decode, inputs, end - length, end), cache=cache))
    assert all(torch.equal(a[n], b[n]) for a in results for b in results for n in a if n not in decode.gives)
    return results[0] | {name: torch.cat([result[name] for result in results], 1) for name in decode.gives}


def _piece(decode: Decode, inputs: Inputs, start: int, end: int) -> Inputs:
    def part(name: str, value: Tensor) -> Tensor:
        if name in decode.steps:
            return value[..., start:end]
        return value[..., :end] if name in decode.grows else value

    return {name: part(name, value) for name, value in inputs.items()}


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("uneven", [True, False], ids=["uneven", "one by one"])
@pytest.mark.parametrize(("model", "case"), CASES)
def test_steps_equal_the_whole(rigs: Rigs, model: Model, case: str, uneven: bool, attention: str):
    rig = rigs(model)
    module, inputs, expected = rig.ours(attention), rig.inputs(case), rig.expected(case)
    assert model.decode
    length = inputs[model.decode.steps[0]].shape[-1]
    got = stepwise(rig, module, inputs, pieces(length, uneven))
    assert expected.excess(got) <= 1, expected.excesses(got)
    whole = replace(expected, values=rig.run(module, inputs))
    assert whole.excess(got) <= 1, whole.excesses(got)


def greedy(rig: Rig, decode: Decode, module: Any, inputs: Inputs) -> Tensor:
    """[B, NEW] most likely tokens, one after another."""
    tokens, rows = decode.steps[0], next(iter(inputs.values())).shape[0]
    if decode.start is not None:
        inputs = inputs | {tokens: torch.full((rows, 1), decode.start)}
    cache = module.make_cache(inputs[tokens].shape[1] + NEW)
    made: list[Tensor] = []
    for _ in range(NEW):
        made.append(rig.run(module, inputs, cache=cache)[decode.gives[0]][:, -1:].argmax(-1))
        inputs = {name: _next(decode, name, value) for name, value in inputs.items()} | {tokens: made[-1]}
    return torch.cat(made, 1)


def _next(decode: Decode, name: str, value: Tensor) -> Tensor:
    """A position is one further; a mask also covers the new token."""
    if name in decode.steps:
        return value[:, -1:] + 1
    return torch.nn.functional.pad(value, (0, 1), value=1) if name in decode.grows else value


def generated(rig: Rig, decode: Decode, inputs: Inputs) -> Tensor:
    """[B, NEW] tokens of the reference. It makes positions from the mask, and a missing mask from tokens."""
    given = {name: value for name, value in inputs.items() if name not in decode.steps[1:]}
    given = {"attention_mask": torch.ones_like(given["input_ids"])} | given
    reference: Any = rig.once(("generator",), partial(generator, rig))
    return reference.generate(**given, max_new_tokens=NEW, do_sample=False)[:, -NEW:]


def generator(rig: Rig) -> Any:
    """The reference as it is loaded to generate."""
    kind = getattr(transformers, rig.model.reference)
    return kind.from_pretrained(rig.folder, **EAGER)


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize(("model", "decode", "case"), PROMPTS)
def test_the_reference_generates_it(rigs: Rigs, model: Model, decode: Decode, case: str, attention: str):
    rig = rigs(model)
    given = {n: v for n, v in rig.inputs(case).items() if decode.start is None or n not in decode.steps}
    expected = generated(rig, decode, given)
    assert max(len(set(row.tolist())) for row in expected) > 3, "one token again and again proves little"
    assert greedy(rig, decode, rig.ours(attention), given).tolist() == expected.tolist()


@pytest.mark.parametrize(("model", "decode"), GENERATORS)
def test_the_public_generator_does_too(rigs: Rigs, model: Model, decode: Decode):
    rig, case = rigs(model), decode.generate[-1]
    given = {n: v for n, v in rig.inputs(case).items() if decode.start is None or n not in decode.steps}
    (prompt,) = given["input_ids"].tolist()
    made = list(api_run.generate(rig.ours("sdpa"), prompt, limit=NEW, start=decode.start or 0))
    assert [made] == generated(rig, decode, given).tolist()
