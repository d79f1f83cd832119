import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors import deserialize

from archspec.errors import WeightsError
from archspec.weights.arrays import TensorSpec
from archspec.weights.header import MAX_HEADER, read_header
from tests.weights.files import entry, plain, raw, safetensors, written

SOUND = {"__metadata__": {"format": "pt"}, "a": entry([2, 3], 0), "b": entry([], 24, "I64", 32)}


def refused(path: Path) -> str:
    with pytest.raises(WeightsError) as error:
        read_header(path)
    assert [found.code for found in error.value.diagnostics] == ["W022"]
    return str(error.value)


def test_a_sound_header(tmp_path: Path):
    found = read_header(written(tmp_path / "x", safetensors(SOUND, bytes(32))))
    assert {name: stored.spec for name, stored in found.items()} == {
        "a": TensorSpec((2, 3), "float32"),
        "b": TensorSpec((), "int64"),
    }
    assert (found["b"].start, found["b"].stop) == (24, 32)


def test_a_file_without_tensors_and_one_with_padding(tmp_path: Path):
    assert read_header(written(tmp_path / "x", safetensors({}))) == {}
    assert list(
        read_header(written(tmp_path / "y", raw(json.dumps(SOUND).encode() + b"   ", bytes(32))))
    ) == ["a", "b"]


def test_every_truncation_is_refused(tmp_path: Path):
    content = safetensors(SOUND, bytes(32))
    for size in range(len(content)):
        refused(written(tmp_path / "x", content[:size]))


def test_trailing_bytes_are_refused(tmp_path: Path):
    assert "32 bytes of data, but it has 33" in refused(
        written(tmp_path / "x", safetensors(SOUND, bytes(33)))
    )


A = entry([2], 0)
HOSTILE: list[tuple[Any, str]] = [
    ({"a": {**A, "dtype": "F31"}}, "'a' has an unknown dtype"),
    ({"a": {**A, "dtype": ["F32"]}}, "'a' has an unknown dtype"),
    ({"a": {**A, "shape": [3]}}, "do not fit"),
    ({"a": {**A, "shape": [-2]}}, "the shape of 'a'"),
    ({"a": {**A, "shape": [2.0]}}, "the shape of 'a'"),
    ({"a": {**A, "shape": [True, 2]}}, "the shape of 'a'"),
    ({"a": {**A, "shape": "2"}}, "the shape of 'a'"),
    ({"a": {**A, "shape": [2] + [1] * 40}}, "at most 32"),
    ({"a": {**A, "shape": [2**62, 2**62, 0], "data_offsets": [0, 0]}}, "the shape of 'a'"),
    ({"a": {**A, "data_offsets": [0, 8, 8]}}, "do not fit"),
    ({"a": {**A, "data_offsets": [8, 0]}}, "do not fit"),
    ({"a": {**A, "data_offsets": [-8, 0]}}, "the data_offsets of 'a'"),
    ({"a": {**A, "data_offsets": [2**63, 2**63 + 8]}}, "the data_offsets of 'a'"),
    ({"a": {**A, "data_offsets": {"0": 8}}}, "the data_offsets of 'a'"),
    ({"a": {**A, "more": 1}}, "exactly dtype, shape and data_offsets"),
    ({"a": {"dtype": "F32", "shape": [2]}}, "exactly dtype, shape and data_offsets"),
    ({"\x1b[2J": A}, "'\\x1b[2J' is not a name"),
    ({"\ud800": A}, "'\\ud800' is not a name"),
    ({"x" * 1001: A}, "of at most 1000 printable"),
    ({"a": None}, "not described by an object"),
    ({"a": A, "b": A}, "'b' begins at byte 0 of the data instead of 8"),
    ({"a": A, "b": entry([1], 4)}, "'b' begins at byte 4 of the data instead of 8"),
    ({"a": A, "b": entry([2], 16)}, "'b' begins at byte 16 of the data instead of 8"),
    ({"a": entry([2], 8)}, "'a' begins at byte 8"),
    ({"a": entry([4], 0)}, "need 16 bytes of data, but it has 8"),
    ({"a": entry([3], 0, "F4", 1)}, "do not fit"),
    ({"__metadata__": {"a": 1}}, "__metadata__"),
    ({"__metadata__": []}, "__metadata__"),
    ([A], "does not begin with `{`"),
]


@pytest.mark.parametrize(("header", "words"), HOSTILE)
def test_hostile_headers(tmp_path: Path, header: Any, words: str):
    assert words in refused(written(tmp_path / "x", safetensors(header, bytes(8))))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "too few for its header"),
        (raw(b"{}", length=3), "too few for its header"),
        (raw(b"{}", length=2**64 - 1), "too few for its header"),
        (raw(b""), "does not begin with"),
        (raw(b" {}"), "does not begin with"),
        (raw(b"{"), "is not JSON"),
        (raw(b'{"\xff": 1}'), "is not JSON"),
        (raw(b'{"a":' * 100_000), "is not JSON"),
        (raw(b'{"a": ' + b"9" * 5000 + b"}"), "is not JSON"),
        (raw(b'{"a": 1, "a": 1}'), "names something twice"),
        (raw(b'{"a": {"dtype": "F32", "dtype": "F32"}}'), "names something twice"),
    ],
)
def test_bytes_that_are_no_header(tmp_path: Path, content: bytes, words: str):
    assert words in refused(written(tmp_path / "x", content))


def test_a_header_beyond_the_limit_is_not_read(tmp_path: Path):
    path = tmp_path / "x"
    with path.open("wb") as file:
        file.write((MAX_HEADER + 1).to_bytes(8, "little"))
        file.truncate(MAX_HEADER + 9)
    assert "above the limit" in refused(path)


def test_what_is_not_a_file(tmp_path: Path):
    assert "not a regular file" in refused(tmp_path)
    with pytest.raises(WeightsError, match="W020 cannot read"):
        read_header(tmp_path / "nothing")


mutations = st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=3)


@given(mutations)
def test_what_we_accept_the_reference_reader_accepts(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, int]]
):
    content = bytearray(safetensors(SOUND, bytes(32)))
    for place, value in changes:
        content[place % len(content)] = value
    path = written(tmp_path_factory.getbasetemp() / "mutated", bytes(content))
    try:
        names = set(read_header(path))
    except WeightsError:
        return
    assert {name for name, _ in deserialize(bytes(content))} == names


@given(
    st.lists(
        st.text().filter(lambda name: name.isprintable() and name != "__metadata__"),
        min_size=1,
        max_size=4,
        unique=True,
    )
)
def test_any_printable_name_will_do(tmp_path_factory: pytest.TempPathFactory, names: list[str]):
    content = plain(names)
    path = written(tmp_path_factory.getbasetemp() / "sound", content)
    assert set(read_header(path)) == {name for name, _ in deserialize(content)} == set(names)
