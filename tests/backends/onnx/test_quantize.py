"""Products with stored matrices in fewer bits, on graphs of a few nodes."""

from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest

from archspec.backends.onnx.agreement import agreement
from archspec.backends.onnx.quantize import Want, quantize
from archspec.backends.onnx.quantize.static import quantize_static
from archspec.backends.onnx.quantize.stored import Blocks4, Rows8
from archspec.errors import ArchspecError, UnsupportedError
from tests.backends.onnx.products import Draft, counted, drawn, kinds, model, run

K, N = 48, 20
X = {"x": drawn(2, 5, K, seed=1)}
COARSE = {"int8": 0.9995, "int4": 0.985}  # the cosine that a matrix of normal numbers keeps


def plain(g: Draft) -> ir.Value:
    return g.op("MatMul", g.x, g.weight("w", drawn(K, N)))


def transposed(g: Draft) -> ir.Value:
    return g.op("MatMul", g.x, g.op("Transpose", g.weight("w", drawn(N, K)), perm=[1, 0]))


def biased(g: Draft) -> ir.Value:
    return g.op("Add", plain(g), g.weight("b", drawn(N)))


def gemm(g: Draft) -> ir.Value:
    rows = g.op("Reshape", g.x, g.weight("shape", np.array([-1, K])))
    return g.op("Gemm", rows, g.weight("w", drawn(N, K)), g.weight("b", drawn(N)), transB=1)


def two_of_one(g: Draft) -> ir.Value:
    return g.op("Mul", plain(g), g.op("MatMul", g.x, g.weight("v", drawn(K, N, seed=2))))


@pytest.mark.parametrize(
    "want", [Want("int8"), Want("int4"), Want("int4", zero_points=True), Want("int4", block=16)]
)
@pytest.mark.parametrize("build", [plain, transposed, biased, gemm, two_of_one])
def test_numbers_stay_close(build: object, want: Want, tmp_path: Path):
    whole, fewer = (model(build, K) for _ in range(2))  # pyright: ignore[reportArgumentType]
    assert quantize(fewer, want).products == (2 if build is two_of_one else 1)
    found = agreement(run(fewer, tmp_path, X), run(whole, tmp_path, X))
    assert COARSE[want.form] < found.cosine < 1
    assert "MatMul" not in kinds(fewer)


def test_what_the_matrix_alone_loses(tmp_path: Path):
    """Rows of very different size: a scale for the whole matrix would lose the small ones."""
    w = drawn(K, N) * np.logspace(-3, 3, N, dtype=np.float32)
    rows = Rows8(lambda: w.T)
    back = rows.values() * rows.scale[:, None]
    assert (np.abs(back - w.T) <= rows.scale[:, None] / 2 * 1.001).all()
    assert np.abs(rows.values()).max(axis=1).tolist() == [127] * N


def test_an_activation_is_rounded_once_for_all_that_read_it():
    fewer = model(two_of_one, K)
    quantize(fewer, Want())
    assert counted(kinds(fewer))["DynamicQuantizeLinear"] == 1
    assert counted(kinds(fewer))["MatMulInteger"] == 2


def test_names_of_outputs_stay():
    fewer = model(biased, K)
    before = [value.name for value in fewer.graph.outputs]
    quantize(fewer, Want())
    assert [value.name for value in fewer.graph.outputs] == before
    names = [value.name for node in fewer.graph for value in node.outputs]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("zero_points", [False, True])
def test_four_bits_as_the_operator_reads_them(zero_points: bool):
    """Unpacked by the operator's definition: a numpy reading of its documentation."""
    w = drawn(3, 50)
    blocks = Blocks4(lambda: w, 16, zero_points=zero_points)
    packed, scales = blocks.packed(), blocks.scales()
    assert packed.shape == (3, 4, 8)
    bits = np.stack([packed & 15, packed >> 4], axis=-1).reshape(3, 4, 16).astype(np.float32)
    zero = np.full((3, 4), 8.0)
    if zero_points:
        zeros = blocks.zeros()
        zero = np.stack([zeros & 15, zeros >> 4], axis=-1).reshape(3, -1)[:, :4].astype(np.float32)
    back = ((bits - zero[..., None]) * scales[..., None]).reshape(3, -1)
    assert np.abs(back[:, :50] - w).max() <= np.abs(scales).max() * (0.51 if zero_points else 1.01)
    assert (back[:, 50:] == 0).all()


def test_zeros_stay_zeros():
    assert (Rows8(lambda: np.zeros((2, 4), np.float32)).values() == 0).all()
    assert np.isfinite(Blocks4(lambda: np.zeros((2, 4), np.float32), 32, zero_points=True).scales()).all()


def tied(g: Draft) -> ir.Value:
    table = g.weight("table", drawn(30, K))
    picked = g.op("Gather", table, g.ids)
    return g.op("MatMul", g.op("Add", picked, g.x), g.op("Transpose", table, perm=[1, 0]))


@pytest.mark.parametrize("embeddings", [False, True])
def test_a_tied_head_has_fewer_bits_too(embeddings: bool, tmp_path: Path):
    given = {**X, "ids": np.arange(10).reshape(2, 5)}
    whole, fewer = model(tied, K), model(tied, K)
    done = quantize(fewer, Want(embeddings=embeddings))
    assert (done.products, done.tables, done.parameters) == (1, int(embeddings), 30 * K)
    assert ("table" in fewer.graph.initializers) is not embeddings
    assert agreement(run(fewer, tmp_path, given), run(whole, tmp_path, given)).cosine > 0.9995


def test_nothing_to_rewrite():
    with pytest.raises(UnsupportedError) as error:
        quantize(model(lambda g: g.op("Relu", g.x), K), Want())
    assert [found.code for found in error.value.diagnostics] == ["O030"]


def test_only_from_float32():
    def half(g: Draft) -> ir.Value:
        return g.op("MatMul", g.op("Cast", g.x, to=10), g.weight("w", drawn(K, N).astype(np.float16)))

    with pytest.raises(UnsupportedError, match="'w' is float16") as error:
        quantize(model(half, K), Want())
    assert [found.code for found in error.value.diagnostics] == ["O031"]


def test_static_ranges_come_from_data(tmp_path: Path):
    whole = model(biased, K)
    wanted = run(whole, tmp_path, X)
    fewer = quantize_static(model(biased, K), [X], tmp_path)
    assert "MatMul" in kinds(fewer)
    assert counted(kinds(fewer))["QuantizeLinear"] >= 1
    assert agreement(run(fewer, tmp_path, X), wanted).cosine > 0.999
    far = {"x": X["x"] * 50}  # a range that was not seen is cut off
    assert agreement(run(fewer, tmp_path, far), run(whole, tmp_path, far)).most > 1


def test_static_needs_data(tmp_path: Path):
    with pytest.raises(ArchspecError) as error:
        quantize_static(model(plain, K), [], tmp_path)
    assert [found.code for found in error.value.diagnostics] == ["O032"]


def test_agreement():
    a = np.array([3.0, 4.0, np.inf])
    assert agreement(a, a).cosine == 1
    found = agreement(np.array([4.0, -3.0, 1.0]), a)
    assert (found.cosine, found.most, found.largest) == (0, 7, 4)
    assert str(found) == "cosine 0.000000, at most 7 apart where the largest number is 4"
