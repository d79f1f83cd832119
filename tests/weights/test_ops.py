from collections.abc import Sequence
from itertools import accumulate
from math import prod

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from archspec.weights.arrays import Shape, TensorSpec
from archspec.weights.bench import Bench
from archspec.weights.ops import Concatenate, Op, Permute, Reshape, Reversed, Stack, Transpose
from archspec.weights.rearrange import chunk_order, interleave_order, rope_order

shapes = st.lists(st.integers(0, 4), min_size=1, max_size=4).map(tuple)


@st.composite
def steps(draw: st.DrawFn) -> tuple[Op, list[Shape]]:
    """An operation, and the shapes of arrays that it takes."""
    shape = draw(shapes)
    axis = draw(st.integers(0, len(shape) - 1))
    sizes = tuple(draw(st.lists(st.integers(0, 3), min_size=1, max_size=4)))
    parts: list[Shape] = [(*shape[:axis], size, *shape[axis + 1 :]) for size in sizes]
    whole = (*shape[:axis], sum(sizes), *shape[axis + 1 :])
    order = tuple(draw(st.permutations(range(shape[axis]))))
    choices: list[tuple[Op, list[Shape]]] = [
        (Concatenate(axis, sizes), parts),
        (Reversed(Concatenate(axis, sizes)), [whole]),
        (Stack(len(sizes)), [shape] * len(sizes)),
        (Reversed(Stack(len(sizes))), [(len(sizes), *shape)]),
        (Permute(axis, order), [shape]),
        (Reshape(shape, (prod(shape), 1)), [shape]),
    ]
    if len(shape) > 1:
        choices.append((Transpose(), [shape]))
    return draw(st.sampled_from(choices))


def filled(wanted: Sequence[Shape]) -> list[NDArray[np.int64]]:
    starts = accumulate(map(prod, wanted), initial=0)
    return [np.arange(at, at + prod(shape)).reshape(shape) for at, shape in zip(starts, wanted, strict=False)]


@given(steps())
def test_every_operation_goes_back(step: tuple[Op, list[Shape]]):
    op, wanted = step
    ours = filled(wanted)
    hub = op.to_hub(ours, np)
    assert tuple(array.shape for array in hub) == op.hub_shapes(wanted)
    assert op.our_shapes([array.shape for array in hub]) == tuple(wanted)
    assert sorted(np.concatenate([array.ravel() for array in hub])) == list(range(sum(map(prod, wanted))))
    for back, array in zip(op.to_ours(hub, np), ours, strict=True):
        np.testing.assert_array_equal(back, array)


@given(steps())
def test_a_reversed_operation_is_the_inverse(step: tuple[Op, list[Shape]]):
    op, wanted = step
    hub = op.to_hub(filled(wanted), np)
    for back, array in zip(Reversed(op).to_hub(hub, np), filled(wanted), strict=True):
        np.testing.assert_array_equal(back, array)


@given(st.integers(1, 4), st.integers(0, 3), st.integers(0, 3), st.booleans())
def test_a_rope_order_is_undone_by_its_opposite(heads: int, half: int, rest: int, interleaved: bool):
    head_dim = 2 * half + rest
    there = rope_order(heads * head_dim, max(head_dim, 1), 2 * half, interleaved)
    back = rope_order(heads * head_dim, max(head_dim, 1), 2 * half, not interleaved)
    assert [there[row] for row in back] == list(range(heads * head_dim))


@given(st.integers(1, 4), st.lists(st.integers(1, 3), min_size=1, max_size=4).map(tuple), st.integers(1, 3))
def test_an_interleaved_row_comes_from_its_chunk(groups: int, parts: tuple[int, ...], width: int):
    labels = [
        (part, group, row)
        for part, share in enumerate(parts)
        for group in range(groups)
        for row in range(share * width)
    ]
    hub = [labels[row] for row in interleave_order(groups, parts, width)]
    assert hub == sorted(labels, key=lambda label: (label[1], label[0], label[2]))


@given(st.lists(st.integers(0, 3), min_size=1, max_size=4).map(tuple), st.data())
def test_chunks_keep_their_rows_in_order(sizes: tuple[int, ...], data: st.DataObject):
    order = tuple(data.draw(st.permutations(range(len(sizes)))))
    labels = [(chunk, row) for chunk, size in enumerate(sizes) for row in range(size)]
    assert [labels[row] for row in chunk_order(order, sizes)] == [
        (chunk, row) for chunk in order for row in range(sizes[chunk])
    ]


@given(st.data())
def test_a_random_chain_of_operations_goes_back(data: st.DataObject):
    bench = Bench()
    for place in range(data.draw(st.integers(1, 4))):
        bench.enter(f"our{place}", f"t{place}", TensorSpec((6, 4)))
    for time in range(data.draw(st.integers(0, 6))):
        _advance(bench, data, time)
    for recipe in bench.recipes():
        ours = dict(zip(recipe.ours, filled([(6, 4)] * len(recipe.ours)), strict=True))
        hub = dict(recipe.to_hub(ours.__getitem__, np))
        assert {name: array.shape for name, array in hub.items()} == {
            name: bench.specs[name].shape for name in recipe.hub
        }
        for name, array in recipe.to_ours(hub.__getitem__, np):
            np.testing.assert_array_equal(array, ours[name])


def _advance(bench: Bench, data: st.DataObject, time: int) -> None:
    """Takes a step that fits. Names are reused once they are free, as rules may do."""
    name = data.draw(st.sampled_from(sorted(bench.specs)))
    shape = bench.specs[name].shape
    alike = [other for other in bench.specs if bench.specs[other].shape == shape]
    free = data.draw(st.sampled_from(["t0", "t1"])) if data.draw(st.booleans()) else f"n{time}"
    kind = data.draw(st.sampled_from(["rearrange", "stack", "fuse", "split"]))
    if kind == "rearrange":
        bench.rearrange(f"rule {time}", name, Permute(0, tuple(data.draw(st.permutations(range(shape[0]))))))
    elif kind == "split" and shape[0] % 2 == 0:
        pair = (f"{time}.0", f"{time}.1")
        bench.exchange(Reversed(Concatenate(0, (shape[0] // 2,) * 2)), (name,), pair)
    elif kind == "stack" and (free not in bench.specs or free in alike):
        bench.exchange(Stack(len(alike)), tuple(alike), (free,))
    elif kind == "fuse" and (free not in bench.specs or free in alike):
        bench.exchange(Concatenate(0, (shape[0],) * len(alike)), tuple(alike), (free,))
