"""The spec library: finds a packaged spec by its name. Data only; nothing here reads a document."""

from __future__ import annotations

from pathlib import Path

from archspec.errors import Diagnostic, SpecError, did_you_mean

# Told from __file__ and not by importlib.resources, whose import alone costs a tenth of a short command.
_PACKAGE = Path(__file__).resolve().parent
_NO_MODELS = ("parts", "templates")


def roots() -> tuple[Path, ...]:
    """The folders that hold library specs: inside an installed wheel, or beside an editable checkout."""
    installed, checkout = _PACKAGE / "specs", _PACKAGE.parent / "specs"
    found = installed if installed.is_dir() else checkout
    return (found,) if found.is_dir() else ()


def names() -> tuple[str, ...]:
    """The name of every library spec, sorted."""
    return tuple(sorted(_specs()))


def find(name: str) -> Path:
    """The file of the library spec called `name`.

    Raises SpecError S901, with the list of names, where there is none.
    """
    specs = _specs()
    if name not in specs:
        known = f"the library has: {', '.join(sorted(specs)) or 'no specs'}"
        hint = "; ".join(filter(None, [did_you_mean(name, specs), known]))
        raise SpecError(Diagnostic("S901", f"no library spec is called '{name}'", hint=hint))
    return specs[name]


def find_part(name: str) -> Path:
    """The file of the library part called `name`.

    Raises SpecError S901, with the list of names, where there is none.
    """
    parts = {path.stem: path for root in roots() for path in sorted((root / "parts").rglob("*.yaml"))}
    if name not in parts:
        known = f"the library has: {', '.join(sorted(parts)) or 'no parts'}"
        hint = "; ".join(filter(None, [did_you_mean(name, parts), known]))
        raise SpecError(Diagnostic("S901", f"no library part is called '{name}'", hint=hint))
    return parts[name]


def templates() -> tuple[str, ...]:
    """The names of the specs that a new one may start from, sorted."""
    return tuple(sorted(_templates()))


def find_template(name: str) -> Path:
    """The file of the template called `name`. Raises SpecError S901, with the list of names."""
    files = _templates()
    if name not in files:
        hint = did_you_mean(name, files) or f"there is: {', '.join(sorted(files))}"
        raise SpecError(Diagnostic("S901", f"no template is called '{name}'", hint=hint))
    return files[name]


def _templates() -> dict[str, Path]:
    return {path.stem: path for root in roots() for path in (root / "templates").glob("*.yaml")}


def _specs() -> dict[str, Path]:
    """Name to file. Those in `specs/parts` and `specs/templates` are not models."""
    files = ((root, path) for root in roots() for path in sorted(root.rglob("*.yaml")))
    return {path.stem: path for root, path in files if path.relative_to(root).parts[0] not in _NO_MODELS}
