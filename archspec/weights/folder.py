"""Checkpoint folders as the hubs publish them: which files there are, and what they hold. Without torch."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import cast

from msgspec import Struct

from archspec.errors import Diagnostic, WeightsError
from archspec.weights.arrays import TensorSpec
from archspec.weights.header import MAX_HEADER, read_header
from archspec.weights.rules import Library, WeightRules

STEMS: Mapping[Library, str] = {"transformers": "model", "diffusers": "diffusion_pytorch_model"}
_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")


class Checkpoint(Struct, frozen=True):
    """The tensors of one or several safetensors files, and the file of each."""

    path: Path
    tensors: Mapping[str, TensorSpec]
    files: Mapping[str, Path]


def open_checkpoint(path: Path) -> Checkpoint:
    """Lists the tensors of a folder or of one `.safetensors` file, reading headers only.

    In a folder: the single file of a known name, else an index with its shards, else the only
    `.safetensors` file there. Raises WeightsError W020 (nothing to read), W021 (only pickled files), W022
    (an unsound file), W023 (an unsound index).
    """
    try:
        return _open_folder(path) if path.is_dir() else _open_file(path)
    except OSError as error:
        raise WeightsError(Diagnostic("W020", f"cannot read {path}: {error.strerror}")) from error


def _open_file(path: Path) -> Checkpoint:
    if path.suffix in _PICKLES:
        raise _pickled(path)
    if not path.exists():
        raise WeightsError(Diagnostic("W020", f"there is no checkpoint at {path}"))
    return _joined(path, [path])


def _open_folder(folder: Path) -> Checkpoint:
    for stem in STEMS.values():
        single, index = folder / f"{stem}.safetensors", folder / f"{stem}.safetensors.index.json"
        if single.is_file():
            return _joined(folder, [single])
        if index.is_file():
            return _open_shards(folder, index)
    return _joined(folder, [_only_file(folder)])


def _only_file(folder: Path) -> Path:
    names = sorted(entry.name for entry in folder.iterdir())
    found = [name for name in names if name.endswith(".safetensors")]
    if len(found) == 1:
        return folder / found[0]
    pickled = [name for name in names if name.endswith(_PICKLES)]
    if pickled and not found:
        raise _pickled(folder / pickled[0])
    raise _unclear(folder, found)


def _unclear(folder: Path, found: Sequence[str]) -> WeightsError:
    if found:
        text, hint = (
            f"{folder} holds {len(found)} safetensors files and no index",
            "give the path of one of them",
        )
    else:
        text, hint = (
            f"{folder} holds no safetensors file",
            "expected model.safetensors, or an index and its shards",
        )
    return WeightsError(Diagnostic("W020", text, None, hint))


def _pickled(path: Path) -> WeightsError:
    hint = (
        "load it where you trust it and write safetensors: "
        "model.save_pretrained(DIR), or safetensors.torch.save_file(state_dict, FILE)"
    )
    text = f"{path} is a pickle, which can run code when it is read; archspec does not read it"
    return WeightsError(Diagnostic("W021", text, None, hint))


def _open_shards(folder: Path, index: Path) -> Checkpoint:
    weight_map = _weight_map(index)
    shards = sorted(set(weight_map.values()))
    absent = [shard for shard in shards if not (folder / shard).is_file()]
    if absent:
        raise _bad_index(index, f"it names {len(absent)} files that are not there: {', '.join(absent[:5])}")
    checkpoint = _joined(folder, [folder / shard for shard in shards])
    for name, shard in weight_map.items():
        if checkpoint.files.get(name) != folder / shard:
            raise _bad_index(index, f"it places {ascii(name)[:80]} in {shard}, which does not hold it")
    return checkpoint


def _weight_map(index: Path) -> dict[str, str]:
    content = _read_json(index)
    table = cast("dict[str, object]", content).get("weight_map") if isinstance(content, dict) else None
    if not isinstance(table, dict) or not table:
        raise _bad_index(index, "it has no `weight_map`")
    weight_map = cast("dict[str, object]", table)
    wrong = [name for name in weight_map.values() if not _is_shard_name(name)]
    if wrong:
        raise _bad_index(index, f"{ascii(wrong[0])[:80]} is not the plain name of a safetensors file")
    return cast("dict[str, str]", weight_map)


def _is_shard_name(name: object) -> bool:
    """A file in the folder itself: no path that could lead out of it."""
    if not isinstance(name, str) or not name.isprintable():
        return False
    return name.endswith(".safetensors") and not set(name) & set("/\\:") and len(name) < 256


def _read_json(index: Path) -> object:
    try:
        if index.stat().st_size > MAX_HEADER:
            raise _bad_index(index, f"it is above the limit of {MAX_HEADER} bytes")
        return cast("object", json.loads(index.read_bytes()))
    except (ValueError, RecursionError) as error:
        raise _bad_index(index, "it is not JSON") from error


def _bad_index(index: Path, problem: str) -> WeightsError:
    return WeightsError(Diagnostic("W023", f"{index} is not a sound index: {problem}"))


def _joined(path: Path, files: Iterable[Path]) -> Checkpoint:
    tensors, places = dict[str, TensorSpec](), dict[str, Path]()
    for file in files:
        for name, stored in read_header(file).items():
            if name in places:
                text = f"'{name}' is in both {places[name].name} and {file.name}"
                raise WeightsError(Diagnostic("W023", f"{path}: {text}"))
            tensors[name], places[name] = stored.spec, file
    return Checkpoint(path, tensors, places)


def hub_config(rules: WeightRules) -> dict[str, object]:
    """The content of config.json: the rules' `config`, and the class as the hub's library spells it."""
    if rules.class_ is None:
        return dict(rules.config)
    listed = rules.library == "transformers"
    return {
        **({"architectures": [rules.class_]} if listed else {"_class_name": rules.class_}),
        **rules.config,
    }
