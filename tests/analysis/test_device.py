"""Devices in figures: each with a source and in the right unit; a wrong file is told where it is wrong."""

import re
from pathlib import Path

import pytest

from archspec.analysis.device import Device, Figure
from archspec.analysis.device_file import FIGURES
from archspec.analysis.devices import HARDWARE, device, device_names, short_names
from archspec.errors import ArchspecError, SpecError
from archspec.explain import explain

NEEDED = (
    "a100-40gb", "a100-80gb", "a10g", "b200", "epyc-9654", "h100-pcie", "h100-sxm", "h200", "l4", "l40s",
    "mi300x", "rtx-4090", "t4", "v100",
)  # fmt: skip

FILE = """\
title: my card
sources: {sheet: {title: data sheet, url: "https://example.com"}}
memory: {value: 24e9, source: sheet}
memory_bandwidth: {value: 1e12, source: sheet}
peak_flops: {bf16: {value: 1e14, source: sheet}}
"""


def figures(device: Device) -> list[Figure]:
    known = [getattr(device, name) for name in FIGURES]
    prices = [device.price.low, device.price.high] if device.price else []
    return [figure for figure in [*known, *device.peak_flops.values(), *prices] if figure]


def test_the_devices_of_the_issue_are_there():
    assert set(NEEDED) <= set(device_names())


@pytest.mark.parametrize("name", device_names())
def test_every_figure_has_a_source_with_an_address(name: str):
    found = figures(device(name))
    assert len(found) >= 4
    assert [figure for figure in found if not figure.source.url.startswith("https://")] == []


@pytest.mark.parametrize("name", device_names())
def test_prices_say_when_they_were_read(name: str):
    price = device(name).price
    ends = [price.low, price.high] if price else []
    assert [end for end in ends if len(end.source.read) != len("2026-11-22")] == []


@pytest.mark.parametrize("name", device_names())
def test_peaks_grow_as_dtypes_shrink(name: str):
    """A peak that was copied with sparsity, or into the wrong row, breaks the order or the ratio."""
    peaks = {dtype: figure.value for dtype, figure in device(name).peak_flops.items()}
    order = [peaks[dtype] for dtype in ("fp32", "tf32", "bf16", "fp8", "int8") if dtype in peaks]
    assert order == sorted(order)
    assert peaks.get("bf16", peaks.get("fp16", 0)) == peaks.get("fp16", 0)
    ratios = [peaks["bf16"] / peaks["tf32"]] if {"bf16", "tf32"} <= peaks.keys() else []
    assert [ratio for ratio in ratios if not 1.9 < ratio < 2.1] == []


@pytest.mark.parametrize("name", device_names())
def test_what_a_driver_reports_is_a_little_less_than_what_is_sold(name: str):
    shipped = device(name)
    if shipped.usable_memory and shipped.memory:
        assert 0.9 < shipped.usable_memory.value / shipped.memory.value <= 1


def test_published_figures():
    a100, h100 = device("a100-80gb"), device("h100-sxm")
    assert (a100.peak("bfloat16"), a100.bandwidth(), a100.watts()) == (312e12, 2039e9, 400)
    assert (h100.peak("bf16"), h100.link_bandwidth(), h100.node_size()) == (989.5e12, 450e9, 8)
    assert h100.capacity() == 81559 * 2**20  # what is left of 80 GiB
    assert device("h100-pcie").capacity() == 80 * 2**30  # no report: as sold


def test_a_shorter_name_is_the_same_device():
    assert device("H100") is device("h100_sxm") is device("h100-sxm")
    assert set(short_names().values()) <= set(device_names())
    assert short_names().keys() & set(device_names()) == set()


def test_an_unknown_device():
    with pytest.raises(ArchspecError) as error:
        device("H101")
    (found,) = error.value.diagnostics
    assert (found.code, found.message) == ("D001", "no device is called 'H101'")
    assert found.hint
    assert found.hint.startswith("did you mean 'h100'?; there is: a100-40gb,")


def test_a_figure_that_no_source_states():
    with pytest.raises(ArchspecError, match=r"no figure is known for v100: peak FLOP/s in bfloat16") as error:
        device("v100").peak("bfloat16")
    assert [found.code for found in error.value.diagnostics] == ["D003"]
    assert "it states peaks for: fp32, fp16" in str(error.value)
    with pytest.raises(ArchspecError, match="D003 no figure is known for epyc-9654: price"):
        device("cpu").dollars_per_hour()


def test_a_file_of_ones_own(tmp_path: Path):
    path = tmp_path / "mine.yaml"
    path.write_text(FILE, encoding="utf-8")
    mine = device(str(path))
    assert (mine.name, mine.title, mine.capacity()) == ("mine", "my card", 24_000_000_000)
    with pytest.raises(ArchspecError, match="D003 no figure is known for mine: power"):
        mine.watts()


WRONG = [
    (FILE + "powr: {value: 300, source: sheet}\n", 6, 1, "a device has no 'powr'", "did you mean 'power'?"),
    (FILE.replace("24e9", "24"), 3, 17, "24 bytes of 'memory' are no device's", "mind the unit"),
    (FILE.replace("1e14", "1e18"), 5, 28, "1e+18 FLOP/s of 'bf16' are no device's", "mind the unit"),
    (FILE.replace("24e9", "lots"), 3, 17, "'memory' has a 'value', a number of bytes", None),
    (FILE.replace("24e9", ".nan"), 3, 17, "'memory' has a 'value', a number of bytes", None),
    (FILE.replace("1e12, source: sheet", "1e12"), 4, 19, "a figure names its 'source'", "sources are: sheet"),
    (FILE.replace("bf16", "bfloat16"), 5, 14, "'peak_flops' has no 'bfloat16'", "did you mean 'bf16'?"),
    (FILE.replace("title: my card", "title: 3"), 1, 8, "'title' is a string", None),
    (FILE + "price: {low: {value: 3, source: sheet}}\n", 6, 8, "a price has a 'low' and a 'high' end", None),
    (
        FILE + "price: {low: {value: 3, source: sheet}, high: {value: 2, source: sheet}}\n",
        6,
        8,
        "the lower one first",
        None,
    ),
    ("[a, b]\n", 1, 1, "a device is a mapping, not a list", "of: title"),
]


@pytest.mark.parametrize(("text", "line", "column", "message", "hint"), WRONG)
def test_a_wrong_file_is_told_where(
    text: str, line: int, column: int, message: str, hint: str | None, tmp_path: Path
):
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SpecError) as error:
        device(path)
    found = next(each for each in error.value.diagnostics if message in each.message)
    assert found.code == "D002"
    assert found.span
    assert (found.span.line, found.span.column) == (line, column)
    assert hint is None or hint in (found.hint or "")


def test_the_examples_of_the_page_of_codes(tmp_path: Path):
    wrong, right = re.findall(r"```yaml\n(.*?)```", explain("D002"), re.DOTALL)
    path = tmp_path / "mine.yaml"
    path.write_text(right, encoding="utf-8")
    assert device(path).capacity() == 80 * 2**30
    path.write_text(wrong, encoding="utf-8")
    with pytest.raises(SpecError, match="80 bytes of 'memory' are no device's"):
        device(path)


def test_a_missing_file(tmp_path: Path):
    with pytest.raises(SpecError, match="Y001"):
        device(tmp_path / "none.yaml")


def test_the_files_are_package_data():
    assert {path.suffix for path in HARDWARE.iterdir()} == {".yaml"}
