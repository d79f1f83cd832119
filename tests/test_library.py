from collections import Counter
from pathlib import Path

import pytest

from archspec import library
from archspec.errors import SpecError


def test_every_name_is_found_and_is_a_file():
    assert library.names() == tuple(sorted(library.names()))
    assert {library.find(name).stem for name in library.names()} == set(library.names())


def test_the_library_holds_the_first_specs():
    assert {"bert", "gpt2", "t5"} <= set(library.names())


def test_no_two_files_share_a_name():
    stems = Counter(path.stem for root in library.roots() for path in root.rglob("*.yaml"))
    assert [stem for stem, count in stems.items() if count > 1] == []


def test_parts_are_not_models(library_at: Path):
    for file in ("one.yaml", "family/two.yaml", "parts/norm.yaml", "notes.md"):
        place = library_at / file
        place.parent.mkdir(exist_ok=True)
        place.write_text("archspec: 1\n")
    assert library.names() == ("one", "two")
    assert library.find("two") == library_at / "family/two.yaml"


def test_an_unknown_name_shows_the_near_one_and_the_list(library_at: Path):
    for name in ("one", "three"):
        (library_at / f"{name}.yaml").touch()
    with pytest.raises(SpecError) as caught:
        library.find("thre")
    (found,) = caught.value.diagnostics
    assert found.code == "S901"
    assert found.message == "no library spec is called 'thre'"
    assert found.hint == "did you mean 'three'?; the library has: one, three"


def test_an_empty_library_says_so(library_at: Path):
    with pytest.raises(SpecError, match="the library has: no specs"):
        library.find("one")


@pytest.mark.parametrize("name", ["../secret", "parts/norm", "", "/etc/passwd", "one.yaml"])
def test_a_name_is_not_a_path(library_at: Path, name: str):
    (library_at / "one.yaml").touch()
    (library_at.parent / "secret.yaml").touch()
    with pytest.raises(SpecError, match="S901"):
        library.find(name)


def test_a_wheel_reads_its_own_specs_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "archspec/specs").mkdir(parents=True)
    (tmp_path / "specs").mkdir()
    monkeypatch.setattr(library, "_PACKAGE", tmp_path / "archspec")
    assert library.roots() == (tmp_path / "archspec/specs",)


@pytest.fixture
def library_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty library, as an editable checkout has it."""
    root = tmp_path / "specs"
    root.mkdir()
    monkeypatch.setattr(library, "_PACKAGE", tmp_path / "archspec")
    return root
