"""A system of several models, as pipelines see it: what each part does, and in which folder it lies."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from archspec.errors import Diagnostic, UnsupportedError
from archspec.ir.cut import cut
from archspec.ir.graph import Graph, Value
from archspec.lowering import graphs
from archspec.lowering.lower import running_of
from archspec.lowering.running import Sampler
from archspec.spec.spec import Spec
from archspec.weights.of_spec import rules_of
from archspec.weights.rules import WeightRules

Role: TypeAlias = Literal["prompt", "denoiser", "encoder", "decoder"]


@dataclass(frozen=True, slots=True)
class Piece:
    """A graph of one output, what it is for, and the published checkpoint that it is of.

    `split`: the checkpoint holds another piece as well.
    """

    role: Role
    output: str
    graph: Graph
    rules: WeightRules
    split: bool

    @property
    def folder(self) -> str:
        """Its own: that of the checkpoint, or of the two that the checkpoint is cut into."""
        return f"{self.rules.folder}_{self.role}" if self.split else str(self.rules.folder)

    @property
    def inputs(self) -> tuple[str, ...]:
        return tuple(value.name for value in self.graph.inputs)


@dataclass(frozen=True, slots=True)
class System:
    """The pieces of a spec that samples, and how it does."""

    sampler: Sampler
    pieces: tuple[Piece, ...]

    def piece(self, role: Role) -> Piece:
        return next(piece for piece in self.pieces if piece.role == role)

    @property
    def condition(self) -> str:
        """The denoiser's input that tells of the prompt."""
        told = self.piece("prompt").output
        return next(name for name, region in self.sampler.feed.items() if told in _read(region.inputs))


def is_system(spec: Spec) -> bool:
    """Whether the whole spec is published as several checkpoints, each in a folder of its own."""
    return spec.graph is None and len(list(_sections(spec))) > 1


def system_of(spec: Spec, graph: Graph) -> System:
    """The system that a spec's whole graph is. Raises UnsupportedError O040 where it is of another kind."""
    sampler = running_of(spec).sampler
    if sampler is None:
        raise _unlike(spec, "it does not say how noise becomes data")
    pieces = tuple(_pieces(spec, graph, sampler))
    roles = sorted(piece.role for piece in pieces)
    if roles != ["decoder", "denoiser", "encoder", "prompt"]:
        raise _unlike(spec, f"it has {', '.join(roles) or 'no parts'}")
    system = System(sampler, pieces)
    wanted = {sampler.noisy, sampler.time, system.condition}
    ids = system.piece("prompt").graph.inputs[0].type
    if set(system.piece("denoiser").inputs) != wanted or ids.rank != 2 or ids.dtype != "int64":
        raise _unlike(spec, f"its denoiser takes {', '.join(system.piece('denoiser').inputs)}")
    return system


def _sections(spec: Spec) -> Iterator[WeightRules]:
    names = spec.section("weights").keys()
    rules = (rules_of(spec, str(name)) for name in names)
    return (each for each in rules if each.folder and each.graph)


def _pieces(spec: Spec, graph: Graph, sampler: Sampler) -> Iterator[Piece]:
    for rules in _sections(spec):
        outputs = [name for name, _ in graphs.part(spec, graph, str(rules.graph)).outputs]
        for output in outputs:
            part = cut(graph, f"{graph.name}-{output}", {output})
            role = _role(output, outputs, sampler)
            if role is None:
                raise _unlike(spec, f"nothing reads '{output}'")
            yield Piece(role, output, part, rules, len(outputs) > 1)


def _role(output: str, beside: list[str], sampler: Sampler) -> Role | None:
    """What an output is for; `beside`: those of the same checkpoint."""
    if output in _read(sampler.prediction.inputs):
        return "denoiser"
    if output == sampler.result:
        return "decoder"
    if any(output in _read(region.inputs) for region in sampler.feed.values()):
        return "prompt"
    return "encoder" if sampler.result in beside else None


def _read(values: tuple[Value, ...]) -> set[str]:
    return {value.name for value in values}


def _unlike(spec: Spec, found: str) -> UnsupportedError:
    message = (
        f"'{spec.name}' is no system of a text encoder, a denoiser of latents, and an autoencoder: {found}"
    )
    return UnsupportedError(Diagnostic("O040", message, None, "export its graphs one by one: --graph NAME"))
