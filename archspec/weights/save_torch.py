"""Writing checkpoints from torch tensors under our names."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path

import torch
from safetensors import torch as safetensors

from archspec.atomic import new_directory, replacing
from archspec.errors import Diagnostic, WeightsError
from archspec.weights.arrays import TensorSpec, same
from archspec.weights.folder import STEMS
from archspec.weights.mapping import WeightMap
from archspec.weights.reading import UnmatchedError, misfits
from archspec.weights.rules import Library

SHARD_SIZE = 5_000_000_000

State = Mapping[str, torch.Tensor]


def save_folder(
    state: State,
    weights: WeightMap,
    out: Path,
    config: Mapping[str, object],
    shard_size: int = SHARD_SIZE,
    library: Library = "transformers",
) -> None:
    """Writes config.json and the hub's tensors, in shards of at most `shard_size` bytes and one tensor.

    `state` holds our tensors, tied names included or not. Nothing is left behind on failure.
    Raises WeightsError: W040 to W043 where `state` does not fit, W045 where other weights lie in `out`.
    """
    _check(state, weights)
    with new_directory(out) as scratch:
        _write_json(config, scratch / "config.json")
        _write_shards(_shards(_hub_tensors(state, weights), shard_size), scratch, STEMS[library])
        refuse_leftovers(out, scratch, library)


def save_native(state: State, path: Path, ties: Collection[str] = ()) -> None:
    """Writes one safetensors file under our own names; tied names, `ties`, are left out.

    Raises WeightsError W042 for a tensor without data.
    """
    tensors = {name: _plain(name, tensor) for name, tensor in state.items() if name not in ties}
    with replacing(path) as scratch:
        _write(tensors, scratch)


def _check(state: State, weights: WeightMap) -> None:
    missing = [name for name in weights.tensors if name not in state]
    unused = [name for name in state if name not in weights.tensors and name not in weights.ties]
    if missing or unused:
        raise UnmatchedError(missing, unused)
    specs = {name: _spec(state[name]) for name in weights.tensors}
    wrong = [found for name, spec in specs.items() for found in misfits(name, weights.tensors[name], spec)]
    untied = [
        Diagnostic("W043", f"'{alias}' and '{name}' are tied but differ")
        for alias, name in weights.ties.items()
        if alias in state and state[alias] is not state[name] and not same(state[alias], state[name])
    ]
    if wrong or untied:
        raise WeightsError(*wrong, *untied)


def _hub_tensors(state: State, weights: WeightMap) -> Iterator[tuple[str, torch.Tensor]]:
    def read(name: str, /) -> torch.Tensor:
        return state[name].detach()

    return ((name, _plain(name, tensor)) for name, tensor in weights.to_hub(read, torch))


def _spec(tensor: torch.Tensor) -> TensorSpec:
    return TensorSpec(tuple(tensor.shape), str(tensor.dtype).removeprefix("torch."))


def _plain(name: str, tensor: torch.Tensor) -> torch.Tensor:
    """The tensor on the CPU, contiguous, in memory of its own size."""
    if tensor.is_meta:
        raise WeightsError(Diagnostic("W042", f"'{name}' has no data", None, "give the model weights first"))
    plain = tensor.detach().cpu().contiguous()
    return plain if plain.untyped_storage().nbytes() == plain.nbytes else plain.clone()


def _write(tensors: dict[str, torch.Tensor], path: Path) -> None:
    """Writes one file. Tensors that share memory are each written whole."""
    seen = set[int]()
    for name, tensor in tensors.items():
        if tensor.numel() and tensor.data_ptr() in seen:
            tensors[name] = tensor.clone()
        seen.add(tensor.data_ptr())
    path.touch()
    mode = path.stat().st_mode  # as the user's umask has it; safetensors would leave the file to its owner
    safetensors.save_file(tensors, path, metadata={"format": "pt"})
    path.chmod(mode)


def _shards(tensors: Iterable[tuple[str, torch.Tensor]], limit: int) -> Iterator[dict[str, torch.Tensor]]:
    """The tensors in order, as many at a time as `limit` bytes hold, and at least one."""
    shard, size = dict[str, torch.Tensor](), 0
    for name, tensor in tensors:
        if shard and size + tensor.nbytes > limit:
            yield shard
            shard, size = {}, 0
        shard[name] = tensor
        size += tensor.nbytes
    yield shard


def _write_shards(shards: Iterable[dict[str, torch.Tensor]], folder: Path, stem: str) -> None:
    """Writes shards under working names, because only the last one tells how many there are."""
    places, total = dict[str, int](), 0
    for number, shard in enumerate(shards, 1):
        _write(shard, folder / f"{number}.part")
        places |= dict.fromkeys(shard, number)
        total += sum(tensor.nbytes for tensor in shard.values())
    count = max(places.values(), default=1)
    names = {number: _shard_name(stem, number, count) for number in range(1, count + 1)}
    for number, name in names.items():
        (folder / f"{number}.part").rename(folder / name)
    if count > 1:
        index = {
            "metadata": {"total_size": total},
            "weight_map": {name: names[at] for name, at in places.items()},
        }
        _write_json(index, folder / f"{stem}.safetensors.index.json")


def _shard_name(stem: str, number: int, count: int) -> str:
    return f"{stem}.safetensors" if count == 1 else f"{stem}-{number:05d}-of-{count:05d}.safetensors"


def _write_json(content: object, path: Path) -> None:
    path.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def refuse_leftovers(out: Path, written: Path, library: Library) -> None:
    """Raises WeightsError W045: a reader would mix in the weights that an older export left in `out`."""
    names = {file.name for file in written.iterdir()}
    left = sorted(file.name for file in out.glob(f"{STEMS[library]}*.safetensors*") if file.name not in names)
    if left:
        text = f"{out} holds other weights: {', '.join(left[:5])}"
        raise WeightsError(Diagnostic("W045", text, None, "remove them or choose another folder"))
