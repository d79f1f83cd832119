"""The machine as a device: figures that a device's file takes, and gives back."""

from pathlib import Path

import archspec
from archspec.measuring.calibrate import calibrate


def test_the_file_gives_back_what_was_measured(tmp_path: Path):
    found = calibrate(budget=0.02)
    archspec.save_device(found, tmp_path / "machine.yaml")
    again = archspec.device(tmp_path / "machine.yaml")
    assert again.title == found.title
    for dtype in ("fp32", "bf16"):
        assert abs(again.peak(dtype) / found.peak(dtype) - 1) < 1e-3
    assert abs(again.bandwidth() / found.bandwidth() - 1) < 1e-3
    assert again.memory is not None
    assert "torch" in again.memory.source.title
    assert {row.label for row in archspec.device_table(again).rows} == {
        "peak in fp32", "peak in bf16", "memory bandwidth", "memory",
    }  # fmt: skip
