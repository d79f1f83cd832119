"""`run`: how images and prompts are read, and how noise becomes data. Beside the graph, and no part of it."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping as Table
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, TypeAlias, TypeVar, cast

from msgspec import Struct

from archspec.components.base import Problem
from archspec.dims import num as n
from archspec.dims import poly
from archspec.dims.num import Num
from archspec.errors import did_you_mean
from archspec.ir.builder import Builder, Handle
from archspec.ir.graph import Apply, Graph, Region, Value
from archspec.ir.types import INTEGERS, is_float
from archspec.ir.verify_names import numbers
from archspec.lowering.closing import agrees, stand_ins, tensor_of, trimmed
from archspec.lowering.faults import located
from archspec.lowering.frame import Frame, Maybe
from archspec.lowering.values import number_of, value_of
from archspec.spec.names import short
from archspec.spec.node import Mapping, Node, Scalar, Sequence

if TYPE_CHECKING:
    from archspec.lowering.lower import Lowering

T = TypeVar("T")
Prediction: TypeAlias = Literal["noise", "velocity", "clean"]
_PREDICTIONS: tuple[Prediction, ...] = ("noise", "velocity", "clean")


class Images(Struct, frozen=True):
    """Pixels from 0 to 1 minus `mean`, over `std`; one number, or one per channel."""

    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    resize: str | None = None
    crop: bool = False


class Tokens(Struct, frozen=True):
    """Every prompt has `length` ids, `pad` behind it; the input `mask` says which are the prompt's own."""

    length: int | None = None
    pad: int | None = None
    mask: str | None = None


class Sampler(Struct, frozen=True):
    """How noise becomes data. Regions take inputs and outputs of the model by their names.

    `signal` takes nothing, and gives [steps]. `prediction` gives what `kind` says, of the type of `noisy`.
    """

    noisy: str
    time: str
    signal: Region
    kind: Prediction
    prediction: Region
    feed: Table[str, Region]
    empty: Table[str, tuple[int, ...]]
    result: str | None
    sizes: Table[str, int]
    first: int


class Running(Struct, frozen=True):
    """What a run needs beside the graph."""

    images: Images = Images()
    tokens: Tokens = Tokens()
    sampler: Sampler | None = None


def read(low: Lowering, frame: Frame, inputs: Table[str, Maybe], graph: Graph) -> Running:
    """The section of a document whose model is lowered; findings go to the document's."""
    failed = low.spec.section("outputs").keys() if low.found.diagnostics else ()
    outputs: dict[str, Maybe] = dict.fromkeys(map(str, failed))
    outputs |= {name: Handle(value, frame.builder) for name, value in graph.outputs}
    return _Reader(low, frame, dict(inputs), outputs).run(low.spec.section("run"))


class _Reader:
    def __init__(
        self, low: Lowering, frame: Frame, inputs: dict[str, Maybe], outputs: dict[str, Maybe]
    ) -> None:
        self.low, self.frame, self.inputs, self.outputs = low, frame, inputs, outputs

    def run(self, node: Mapping) -> Running:
        images, tokens, sample = (_table(node.get(key)) for key in ("images", "tokens", "sample"))
        return Running(
            self.images(images) if images else Images(),
            self.tokens(tokens) if tokens else Tokens(),
            self.sampler(sample) if sample else None,
        )

    def images(self, node: Mapping) -> Images:
        mean, std, crop = node.get("mean"), node.get("std"), node.get("crop")
        return Images(
            (self.numbers(mean) or (0.0,)) if mean else (0.0,),
            (self.numbers(std, positive=True) or (1.0,)) if std else (1.0,),
            _text(node.get("resize")),
            isinstance(crop, Scalar) and crop.value is True,
        )

    def tokens(self, node: Mapping) -> Tokens:
        length, pad = self.whole(node.get("length"), least=1), self.whole(node.get("pad"))
        if length is not None and pad is None and node.get("pad") is None:
            self.wrong(node.key("length"), "prompts of one length need an id to fill them with", "add 'pad'")
        return Tokens(length, pad, self.input(node.get("mask")))

    def sampler(self, node: Mapping) -> Sampler | None:
        """None where something of it failed, or where its inputs are left out under these params."""
        noisy, time = self.input(node.get("noisy")), self.input(node.get("time"))
        kinds: list[Prediction] = [kind for kind in _PREDICTIONS if node.get(kind) is not None]
        self.check_kinds(kinds)
        self.check_time(node.get("time"), time)
        feeds = self.named(node.get("feed"))
        feed = {name: self.fed(name, text) for name, text in feeds if name not in {noisy, time}}
        empty = {name: self.ids(value) for name, value in self.named(node.get("empty"))}
        sizes = {name: self.whole(value, least=1) for name, value in self.sized(node.get("sizes"))}
        self.check_given(node, {noisy, time})
        result, signal = self.output(node.get("result")), self.signal(node.get("signal"))
        first = self.whole(node.get("first"), least=0) or 0
        if not kinds or noisy is None or time is None or signal is None:
            return None
        prediction = self.prediction(node.get(kinds[0]), noisy, kinds[0])
        return prediction and Sampler(
            noisy, time, signal, kinds[0], prediction, _kept(feed), _kept(empty), result, _kept(sizes), first
        )

    def named(self, node: Node | None) -> list[tuple[str, Node]]:
        """The entries under names of inputs that are there."""
        return [(str(key.value), value) for key, value in _entries(node) if self.input(key) is not None]

    def sized(self, node: Node | None) -> list[tuple[str, Node]]:
        entries = _entries(node)
        for key, _ in entries:
            if key.value not in self.low.dims:
                known = tuple(self.low.dims)
                hint = did_you_mean(str(key.value), known) or f"sizes: {', '.join(known)}"
                self.wrong(key, f"no input has a size '{short(str(key.value))}'", hint)
        return [(str(key.value), value) for key, value in entries]

    def input(self, node: Node | None) -> str | None:
        """The name of an input; None where it is none, or left out."""
        return self.known(node, "input", "L009", self.inputs)

    def output(self, node: Node | None) -> str | None:
        return self.known(node, "output", "L060", self.outputs)

    def known(self, node: Node | None, what: str, code: str, there: Table[str, Maybe]) -> str | None:
        if not isinstance(node, Scalar):
            return None
        name, written = str(node.value), self.low.spec.section(f"{what}s").keys()
        if name not in written and self.low.whole:
            hint = did_you_mean(name, written) or f"{what}s: {', '.join(written)}"
            self.low.found.add(code, f"the model has no {what} '{short(name)}'", node.span, hint)
        return name if there.get(name) is not None else None

    def check_kinds(self, kinds: list[Prediction]) -> None:
        if len(kinds) != 1:
            told = (
                f"{' and '.join(kinds)} are one too many" if kinds else "what the model predicts is not said"
            )
            key = self.low.spec.section("run").key("sample")
            self.wrong(key, told, f"write one of: {', '.join(_PREDICTIONS)}")

    def check_time(self, node: Node | None, name: str | None) -> None:
        given = self.inputs[name] if name else None
        if given and (
            given.type.rank != 1 or not (given.type.dtype in INTEGERS or is_float(given.type.dtype))
        ):
            self.wrong(node, f"'{name}' is {given.type}, not one step for each sample", "write 'int64[B]'")

    def check_given(self, node: Mapping, sampled: set[str | None]) -> None:
        """Nothing else gives what is sampled and its time, and what is fed is no prompt."""
        feed = {key.value for key, _ in _entries(node.get("feed"))}
        for word, taken in (("feed", sampled), ("empty", sampled | feed)):
            for key, _ in _entries(node.get(word)):
                if key.value in taken:
                    told = "is fed" if key.value in feed - sampled else "is what the sampler gives"
                    self.wrong(key, f"'{short(str(key.value))}' {told}", f"leave it out of '{word}'")

    def signal(self, node: Node | None) -> Region | None:
        """Numbers that follow from params."""
        region = self.region(node, "signal", self.inputs | self.outputs)
        if region is None:
            return None
        type_, read = region.outputs[0].type, "".join(f" of '{v.name}'" for v in region.inputs[:1])
        if read or type_.rank != 1 or not type_.shape[0].static or not is_float(type_.dtype):
            message = f"the signal is one number for each step, from params alone, not {type_}{read}"
            self.wrong(node, message, "write floats [steps]")
            return None
        return region

    def fed(self, name: str, node: Node) -> Region | None:
        """What an expression computes in place of an input."""
        region, wanted = self.region(node, name, self.inputs | self.outputs), self.inputs[name]
        agreed = region and wanted and agrees(self.low, name, wanted.type, region.outputs[0].type, node)
        return region if agreed else None

    def prediction(self, node: Node | None, noisy: str, kind: Prediction) -> Region | None:
        """What an expression tells of a noisy sample: floats of its shape."""
        region, wanted = self.region(node, "prediction", self.inputs | self.outputs), self.inputs[noisy]
        if region is None or wanted is None:
            return None
        given = region.outputs[0].type
        if not is_float(given.dtype) or given.with_dtype(wanted.type.dtype) != wanted.type:
            self.wrong(
                node, f"the {kind} is {given}, and '{noisy}' is {wanted.type}", "give floats of its shape"
            )
            return None
        return region

    def region(self, node: Node | None, name: str, names: dict[str, Maybe]) -> Region | None:
        if node is None:
            return None
        builder = Builder("", name)
        builder.bindings = {
            key: n.num(value.value) for key, value in self.frame.values.items() if isinstance(value, Num)
        }
        result = tensor_of(stand_ins(self.frame, builder, names), node)
        return _alone(builder.region([result])) if result else None

    def ids(self, node: Node) -> tuple[int, ...] | None:
        """One id, or several."""
        items = node.items if isinstance(node, Sequence) else (node,)
        found = [self.whole(item, least=0) for item in items]
        return None if None in found else tuple(cast("list[int]", found))

    def whole(self, node: Node | None, least: int | None = None) -> int | None:
        def read() -> int:
            with located(cast("Node", node)):
                number = int(n.whole(number_of(self.frame, cast("Node", node))))
                if least is not None and number < least:
                    raise Problem("S005", f"{number} is below {least}", hint=f"write {least} or more")
                return number

        return None if node is None else self.frame.attempt(node.span, read)

    def numbers(self, node: Node, *, positive: bool = False) -> tuple[float, ...] | None:
        def read() -> tuple[float, ...]:
            with located(node):
                value = value_of(self.frame, node)
                items = value if isinstance(value, tuple) else (value,)
                numbers = tuple(item.real for item in items if isinstance(item, Num))
                if not numbers or len(numbers) < len(items):
                    raise Problem("S003", "expected a number, or one for each channel", hint="write [0.5]")
                if positive and min(numbers) <= 0:
                    raise Problem("S005", "pixels are divided by this: it is above 0", hint="write 1.0")
                return numbers

        return self.frame.attempt(node.span, read)

    def wrong(self, node: Node | None, message: str, hint: str) -> None:
        self.low.found.add("L080", message, node and node.span, hint)


def _alone(region: Region) -> Region:
    """The region with those inputs that it reads, and those that show the sizes it reads."""
    read = trimmed(region).inputs
    nodes = [node for node in region.nodes if isinstance(node, Apply)]
    unseen = _sizes(number for node in nodes for number in numbers(node.op)) - _shown(read)
    for value in region.inputs:
        if unseen & _shown([value]):
            read, unseen = (*read, value), unseen - _shown([value])
    return replace(region, inputs=read)


def _shown(values: Iterable[Value]) -> set[str]:
    return _sizes(size for value in values for size in value.type.shape)


def _sizes(numbers: Iterable[Num]) -> set[str]:
    """The run-time sizes among numbers."""
    found = (number.value for number in numbers)
    return {name for value in found if isinstance(value, poly.Poly) for name in poly.symbols(value)}


def _entries(node: Node | None) -> tuple[tuple[Scalar, Node], ...]:
    return node.entries if isinstance(node, Mapping) else ()


def _kept(table: Table[str, T | None]) -> dict[str, T]:
    return {name: value for name, value in table.items() if value is not None}


def _table(node: Node | None) -> Mapping | None:
    return node if isinstance(node, Mapping) else None


def _text(node: Node | None) -> str | None:
    return node.value if isinstance(node, Scalar) and isinstance(node.value, str) else None
