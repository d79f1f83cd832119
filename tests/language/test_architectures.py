"""Whole architectures that exist as YAML alone: they run, train, export, decode, and read well."""

import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from archspec import api
from tests.language.cases import ARCHITECTURES
from tests.language.draw import SIZES
from tests.language.rig import Outputs, Rig, doubled, implementations, pieces
from tests.language.style import faults
from tests.language.test_behaviour import unmoved
from tests.parity.compare import Expected

Rigs = Callable[[Path], tuple[Rig, ...]]
each_architecture = pytest.mark.parametrize("path", ARCHITECTURES, ids=[path.stem for path in ARCHITECTURES])


@pytest.fixture(scope="module")
def rigs() -> Rigs:
    """An architecture by each attention; made when it is first asked for."""
    made: dict[Path, tuple[Rig, ...]] = {}

    def get(path: Path) -> tuple[Rig, ...]:
        if path not in made:
            spec = api.load(path)
            made[path] = tuple(Rig.set_up(spec, attention) for attention in implementations(spec))
        return made[path]

    return get


def whole(rig: Rig, given: Outputs) -> Expected:
    """The outputs of one pass, and how far they are from those in fp64."""
    with torch.no_grad():
        single = rig.run(given)
        rig.module.double()
        double = rig.run(doubled(given))
        rig.module.float()
    return Expected.measured(single, double)


@each_architecture
def test_the_attentions_agree(rigs: Rigs, path: Path):
    first, *others = rigs(path)
    for sizes in SIZES:
        for optional in (True, False):
            given = first.inputs(sizes, optional=optional)
            expected = whole(first, given)
            assert all(x.isfinite().all() for x in expected.values.values())
            for rig in others:
                with torch.no_grad():
                    got = rig.run(given)
                assert expected.excess(got) <= 1, expected.excesses(got)


@each_architecture
def test_trains(rigs: Rigs, path: Path):
    for rig in rigs(path):
        rig.module.zero_grad()
        outputs = [x for x in rig.run(rig.inputs(SIZES[0])).values() if x.requires_grad]
        torch.cat([(x * torch.randn_like(x)).flatten() for x in outputs]).sum().backward()
        assert unmoved(rig.module) == []


@each_architecture
def test_exports(rigs: Rigs, path: Path):
    """`torch.export` gives the same numbers, at the sizes it saw."""
    for rig in rigs(path):
        given = rig.inputs(SIZES[0])
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            exported = torch.export.export(rig.module, (), given).module()
            got = replace(rig, module=exported).run(given)
        expected = whole(rig, given)
        assert expected.excess(got) <= 1, expected.excesses(got)


@each_architecture
def test_decodes(rigs: Rigs, path: Path):
    for rig in (rig for rig in rigs(path) if rig.graph.stream):
        for sizes in SIZES:
            given = rig.inputs(sizes)
            expected = whole(rig, given)
            for lengths in pieces(sizes[rig.graph.stream or ""]):
                with torch.no_grad():
                    got = rig.stepwise(given, lengths)
                assert expected.excess(got) <= 1, (rig.name, lengths, expected.excesses(got))


def test_sources_are_as_ruff_wants_them(rigs: Rigs, tmp_path: Path):
    found = faults([rig.source for path in ARCHITECTURES for rig in rigs(path)], tmp_path)
    assert not found, found
