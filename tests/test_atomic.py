"""Each failure here is one that the operating system reports."""

import os
import resource
import stat
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from archspec import atomic
from archspec.errors import ArchspecError


@contextmanager
def file_size_limit(size: int) -> Generator[None]:
    """Every write past `size` bytes fails, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_writes_text_as_utf8_and_bytes_as_they_are(tmp_path: Path):
    atomic.write_text(tmp_path / "a.txt", "é\n")
    atomic.write_bytes(tmp_path / "b.bin", b"\r\n\x00")
    assert (tmp_path / "a.txt").read_bytes() == b"\xc3\xa9\n"
    assert (tmp_path / "b.bin").read_bytes() == b"\r\n\x00"
    assert sorted(os.listdir(tmp_path)) == ["a.txt", "b.bin"]


def test_replaces_a_file_and_makes_missing_parents(tmp_path: Path):
    path = tmp_path / "x/y/a.txt"
    atomic.write_text(path, "old")
    atomic.write_text(path, "new")
    assert path.read_text() == "new"


def test_a_new_file_and_a_new_folder_obey_the_umask(tmp_path: Path):
    (tmp_path / "plain").touch()
    (tmp_path / "plain_dir").mkdir()
    atomic.write_text(tmp_path / "file", "")
    with atomic.new_directory(tmp_path / "folder"):
        pass
    assert mode(tmp_path / "file") == mode(tmp_path / "plain")
    assert mode(tmp_path / "folder") == mode(tmp_path / "plain_dir")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_link_stays_a_link(tmp_path: Path):
    (tmp_path / "real").mkdir()
    link = tmp_path / "link.txt"
    link.symlink_to(tmp_path / "real/a.txt")
    atomic.write_text(link, "x")
    assert link.is_symlink()
    assert (tmp_path / "real/a.txt").read_text() == "x"


def test_a_full_disk_keeps_the_old_file(tmp_path: Path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    with (
        pytest.raises(ArchspecError, match="F001 cannot write .*a.bin: File too large"),
        file_size_limit(1000),
    ):
        atomic.write_bytes(path, bytes(2000))
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.bin"]


def test_a_full_disk_leaves_no_folder(tmp_path: Path):
    with (
        pytest.raises(ArchspecError, match="F001 cannot write .*out: File too large"),
        file_size_limit(1000),
        atomic.new_directory(tmp_path / "deep/out") as folder,
    ):
        (folder / "small.txt").write_text("x")
        (folder / "large.bin").write_bytes(bytes(2000))
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("stop", [KeyboardInterrupt, ValueError])
@pytest.mark.parametrize("begin", [atomic.replacing, atomic.new_directory])
def test_a_stop_half_way_leaves_nothing(
    tmp_path: Path, begin: Callable[[Path], AbstractContextManager[Path]], stop: type[BaseException]
):
    with pytest.raises(stop), begin(tmp_path / "deep/out") as scratch:
        raise stop(str(scratch))
    assert os.listdir(tmp_path) == []


def test_a_parent_that_is_a_file(tmp_path: Path):
    (tmp_path / "file").write_text("x")
    for attempt in (attempt_file, attempt_folder):
        with pytest.raises(ArchspecError, match="F001 cannot write .*file/out: Not a directory"):
            attempt(tmp_path / "file/out")
    assert (tmp_path / "file").read_text() == "x"


def test_a_name_the_file_system_refuses(tmp_path: Path):
    for attempt in (attempt_file, attempt_folder):
        with pytest.raises(ArchspecError, match="F001 cannot write .*: File name too long"):
            attempt(tmp_path / ("x" * 300))
    assert os.listdir(tmp_path) == []


def attempt_file(path: Path) -> None:
    atomic.write_text(path, "")


def attempt_folder(path: Path) -> None:
    with atomic.new_directory(path) as folder:
        (folder / "a").touch()


def test_a_folder_or_a_device_is_not_replaced_by_a_file(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ArchspecError, match="F002 .*: it is a folder"):
        atomic.write_text(tmp_path, "")
    with pytest.raises(ArchspecError, match="F002 .*: it is not a regular file"):
        atomic.write_text(tmp_path / "pipe", "")
    with pytest.raises(ArchspecError, match="F002 .*: it is not a folder"):
        attempt_folder(tmp_path / "pipe")
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


def test_reading_another_file_is_not_a_write_error(tmp_path: Path):
    with pytest.raises(FileNotFoundError), atomic.new_directory(tmp_path / "out") as folder:
        (folder / "a").write_bytes((tmp_path / "missing").read_bytes())
    assert os.listdir(tmp_path) == []


def test_a_folder_replaces_namesakes_and_keeps_the_rest(tmp_path: Path):
    out = tmp_path / "out"
    (out / "sub").mkdir(parents=True)
    for name in ("model.py", "notes.md", "sub/kept"):
        (out / name).write_text("old")
    with atomic.new_directory(out) as folder:
        (folder / "model.py").write_text("new")
        (folder / "sub").mkdir()
        (folder / "sub/added").write_text("new")
    assert contents(out) == {"model.py": "new", "notes.md": "old", "sub/added": "new", "sub/kept": "old"}


def test_nothing_moves_where_a_folder_is_in_the_way(tmp_path: Path):
    out = tmp_path / "out"
    (out / "b").mkdir(parents=True)
    with (
        pytest.raises(ArchspecError, match="F002 .*out/b: it is a folder"),
        atomic.new_directory(out) as folder,
    ):
        (folder / "a").touch()
        (folder / "b").touch()
    assert os.listdir(out) == ["b"]


def contents(folder: Path) -> dict[str, str]:
    return {str(p.relative_to(folder)): p.read_text() for p in folder.rglob("*") if p.is_file()}
