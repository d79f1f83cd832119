"""What is installed: one import name, with the specs inside, the same by way of the source archive."""

import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from itertools import chain
from pathlib import Path

import pytest

from archspec import library
from tests.house.tree import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
VERSION = PROJECT["version"]


def build(target: str, source: Path, out: Path) -> Path:
    command = [sys.executable, "-m", "hatchling", "build", "--target", target, "--directory", str(out)]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    (built,) = out.iterdir()
    return built


def members(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("wheel", ROOT, tmp_path_factory.mktemp("wheel"))


def test_a_wheel_exposes_one_name(wheel: Path):
    tops = {name.split("/")[0] for name in members(wheel)}
    assert tops == {"archspec", f"archspec_compiler-{VERSION}.dist-info"}


def test_a_wheel_holds_the_package_and_the_specs(wheel: Path):
    package = [
        path for path in (ROOT / "archspec").rglob("*") if path.suffix in {".py", ".md", ".yaml", ".typed"}
    ]
    specs = [path for root in library.roots() for path in root.rglob("*.yaml")]
    expected = {path.relative_to(ROOT).as_posix() for path in package}
    expected |= {f"archspec/{path.relative_to(ROOT).as_posix()}" for path in specs}
    assert specs
    assert expected <= members(wheel)


def test_an_installed_wheel_finds_its_own_specs(wheel: Path, tmp_path: Path):
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    command = [sys.executable, "-c", "from archspec import library; print(*library.roots())"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stderr, done.stdout) == ("", f"{tmp_path / 'archspec/specs'}\n")


def test_the_source_archive_builds_the_same_wheel(wheel: Path, tmp_path: Path):
    archive = build("sdist", ROOT, tmp_path / "sdist")
    with tarfile.open(archive) as opened:
        opened.extraction_filter = getattr(tarfile, "data_filter", None)  # from Python 3.11.4 on
        opened.extractall(tmp_path)
    again = build("wheel", tmp_path / f"archspec_compiler-{VERSION}", tmp_path / "wheel")
    assert members(again) == members(wheel)


def test_all_is_every_extra_that_runs_on_a_cpu():
    cpu = [extra for extra in PROJECT["optional-dependencies"] if extra not in {"all", "gpu"}]
    assert PROJECT["optional-dependencies"]["all"] == [f"archspec-compiler[{','.join(cpu)}]"]


def test_the_tested_pins_are_exact_and_cover_what_is_asked_for():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line.partition("==") for line in lines if line and not line.startswith("#")]
    assert [name for name, _, version in pins if not re.fullmatch(r"[\w.]+", version)] == []
    asked = [*PROJECT["dependencies"], *chain(*PROJECT["optional-dependencies"].values())]
    named = {re.split(r"[^a-z-]", line)[0] for line in asked}
    assert named - {"archspec-compiler"} - {name for name, _, _ in pins} == set()


def test_the_changelog_knows_this_version():
    assert f"\n## [{VERSION}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
