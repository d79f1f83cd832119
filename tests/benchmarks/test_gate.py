"""Generated kernels compiled for devices that are not there: the gate's fast part, and the gate itself."""

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("triton", reason="the kernels' compiler is of the extra `gpu`")

from benchmarks.gate.jobs import TARGETS, Job, generated, spelt, written
from benchmarks.gate.machine_code import amdgcn, matrix_loops, sass
from benchmarks.gate.verdicts import faults, line, summary
from benchmarks.gate.workers import findings

ROOT = Path(__file__).parents[2]
GOOD = {"shared": 1024, "matrix": 4, "local": 0, "special": 0, "registers": 9, "stack": 0, "seconds": 1.0}

LOOPS = """
        /*0000*/                   STL [R1], R2 ;
        /*0010*/                   HGMMA.64x64x16.F32.BF16 R24, gdesc[UR4], RZ, !UPT ;
        /*0020*/                   LDL R2, [R1] ;
        /*0030*/               @P0 BRA 0x80 ;
        /*0040*/                   HGMMA.64x64x16.F32.BF16 R24, R4, gdesc[UR4], R24 ;
        /*0050*/               @P1 BRA 0x10 ;
        /*0060*/                   LDL R2, [R1] ;
        /*0070*/                   EXIT ;
        /*0080*/                   SYNCS.PHASECHK.TRANS64.TRYWAIT P2, [UR4], R5 ;
        /*0090*/              @!P2 BRA 0x80 ;
        /*00a0*/                   BRA 0x40 ;
        /*00b0*/                   BRA 0xb0;
"""
AMD = """
.LBB0_1:
	scratch_store_dword off, v1, s0
.LBB0_2:
	v_mfma_f32_32x32x8_bf16 a[0:15], v[0:1], v[2:3], a[0:15]
	scratch_load_dword v1, off, s0
	s_cbranch_scc1 .LBB0_2
	s_cbranch_vccnz .LBB0_1
	s_endpgm
"""


def test_local_memory_counts_inside_a_loop_also_where_it_waits_elsewhere():
    (loop,) = matrix_loops(sass(LOOPS))
    assert (loop.matrix, loop.local, loop.instructions) == (2, 1, 8)


def test_of_nested_loops_the_inner_one_counts():
    (loop,) = matrix_loops(amdgcn(AMD))
    assert (loop.matrix, loop.local) == (1, 1)


def test_no_loop_and_no_code():
    assert matrix_loops(sass("/*0000*/ HMMA.16816.F32.BF16 R4, R8, R10, R4 ;\n/*0010*/ EXIT ;")) == []
    assert matrix_loops([]) == []


def job(special: bool = False, target: str = "sm_80") -> Job:
    tiles = generated("causal").module.Tiles(128, 64, 4, 3, special, special, special)
    return Job("causal", "forward", target, 128, tiles, chosen=True)


@pytest.mark.parametrize(
    ("found", "text"),
    [
        ({"error": "PassManager::run failed"}, "PassManager"),
        ({"shared": 164 << 10}, "shared memory"),
        ({"matrix": 0}, "no matrix instructions"),
        ({"local": 3}, "3 accesses of local memory"),
        ({}, ""),
    ],
)
def test_what_is_at_fault(found: dict[str, object], text: str):
    wrong = "; ".join(faults(job(), GOOD | found))
    assert text in wrong
    assert bool(wrong) == bool(text)
    assert (wrong or "good") in line(job(), GOOD | found)


def test_a_warp_of_its_own_has_to_be_there():
    assert faults(job(special=True, target="sm_90"), GOOD) == ["not specialised"]
    assert faults(job(special=True, target="sm_90"), GOOD | {"special": 2}) == []


def test_the_summary_counts():
    rows = [(job(), GOOD), (job(), GOOD | {"local": 1}), (job(), {"error": "no"})]
    assert summary(rows).splitlines()[1].split() == ["sm_80", "chosen", "3", "1", "1", "1"]


@pytest.mark.slow  # one kernel with much to spill
def test_tiles_too_large_are_seen(tmp_path: Path):
    """128 rows are too many for the registers of 4 warps, 4 stages for the shared memory of a consumer."""
    tiles = generated("causal").module.Tiles(128, 64, 4, 4)
    large = Job("causal", "forward", "sm_86", 128, tiles, chosen=True)
    (found,) = findings([written(large, tmp_path)], sys.executable, 1, tmp_path, lambda _: None)
    assert [x.partition(" ")[2][:9] for x in faults(large, found)] == ["bytes of ", "accesses "]


@pytest.mark.parametrize("target", TARGETS)
def test_every_device_has_tiles(target: str):
    made = generated("causal")
    for kernel in ("forward", "backward_queries", "backward_keys", "backward_score"):
        for width in (16, 64, 96, 128, 256):
            assert spelt(made.module.chosen(kernel, TARGETS[target].row, width))


@pytest.mark.slow  # six kernels, about half a minute
def test_chosen_tiles_compile_with_matrix_instructions_and_without_local_memory():
    gate = [sys.executable, "-m", "benchmarks.gate", "--fast", "--workers", "1"]
    done = subprocess.run(gate, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    verdicts = [row for row in done.stdout.splitlines() if row.endswith(" good") and "spilling" not in row]
    assert len(verdicts) == 6
