"""Everything that is known of a model's cost, each part worked out when it is first asked for."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from msgspec.structs import replace

from archspec.analysis.flops import Flops
from archspec.analysis.lora import adapted, chosen
from archspec.analysis.lora_graph import with_adapters
from archspec.analysis.optimizer import PRECISIONS, Parameter, TrainingState, training_state
from archspec.analysis.parameters import Parameters
from archspec.analysis.sizes import Sizes
from archspec.analysis.state import StateBytes
from archspec.analysis.tracing import Training
from archspec.errors import ArchspecError, Diagnostic, UnsupportedError
from archspec.ir.graph import Graph
from archspec.reports.learned import learned, matrices
from archspec.reports.question import Question
from archspec.reports.shapes import Shaped, shapes

if TYPE_CHECKING:
    from archspec.backends.torch.fake.run import Alive
    from archspec.backends.torch.fake.trace import Subject, Trace
    from archspec.backends.torch.fake.trace import Training as Stepped


class Account:
    """The cost of one graph under one question. Nothing in it needs torch.

    Raises, wherever a part is asked for: A001 to A005 for sizes, A010 and A011 where a run on shapes does not
    know what it would take, UnsupportedError where the model cannot be emitted as asked.
    """

    def __init__(self, graph: Graph, question: Question) -> None:
        self.graph, self.question = graph, question

    # from the graph alone

    @cached_property
    def parameters(self) -> Parameters:
        return Parameters.of(self.graph)

    @cached_property
    def forward(self) -> Flops:
        """A full forward pass, or a prefill."""
        return Flops.of(self.graph, self.question.sizes)

    @cached_property
    def decode(self) -> Flops | None:
        """One step of decoding behind `past` tokens (without: a symbol); None where nothing streams."""
        stream = self.graph.stream
        if stream is None or not self.state.kept:
            return None
        return Flops.of(self.graph, {**self.question.sizes, stream: 1}, past=self.past)

    @property
    def past(self) -> int | None:
        """As asked, or else so many that the step is that of a sequence's last token."""
        if self.question.past is not None or self.graph.stream is None:
            return self.question.past
        length = self.question.sizes.get(self.graph.stream)
        return length and length - 1

    @cached_property
    def step(self) -> Flops:
        """A step of training, of adapters alone where there are any. Raises D006 as `adapted` does."""
        question, graph = self.question, self.graph
        training = Training(checkpoint=question.checkpoint, dropout=question.dropout)
        if question.lora is not None:
            graph = with_adapters(graph, question.lora, self.adapted)
        return Flops.of(graph, question.sizes, training=training)

    @cached_property
    def state(self) -> StateBytes:
        return StateBytes.of(self.graph, self.question.dtype)

    @cached_property
    def optimizer(self) -> TrainingState:
        """Weights, gradients and what the optimizer keeps. Raises D005, and as `learned`."""
        return training_state(self.learned, self.question.optimizer, self.question.policy.state)

    @cached_property
    def learned(self) -> tuple[Parameter, ...]:
        """The parameters, each with whether it is trained, and adapters. Raises D006 for unknown targets."""
        question, policy = self.question, PRECISIONS[self.question.policy.state]
        found = learned(self.graph)
        if question.lora is not None:
            assert self.adapted
            found = adapted(found, question.lora, question.targets, itemsize=policy.weights)
        return tuple(found)

    @cached_property
    def adapted(self) -> tuple[str, ...]:
        """The matrices that get adapters. Raises D006 where none are named, or one that there is not."""
        found = learned(self.graph)
        if not self.question.targets:
            hint = f"name some: {', '.join(matrices(found)[:6])}"
            raise ArchspecError(Diagnostic("D006", "adapters of no matrix are asked for", None, hint))
        return tuple(matrix.name for matrix in chosen(found, self.question.targets))

    # from a run of the emitted source on shapes

    @cached_property
    def subject(self) -> Subject:
        from archspec.backends.torch.fake.trace import Subject  # lazy: what needs no run starts without it

        return Subject(self._source, self.graph.name, self._kernels)

    @cached_property
    def _source(self) -> str:
        from archspec.backends.torch.emit import emit  # lazy: the same

        if self.question.attention == "flex":
            message = "what attention=flex costs is not known: blocks are chosen, and compiled, when it runs"
            hint = "ask for attention=sdpa, eager, triton or auto"
            raise UnsupportedError(Diagnostic("U002", message, None, hint))
        return emit(self.graph, attention=self.question.attention, device=self.question.hardware)

    @property
    def _kernels(self) -> Mapping[str, str]:
        """Files of kernels that the emitted source may import."""
        from archspec.backends.torch.passes.kernels import kernel_files  # lazy: as `subject`

        return kernel_files(self.graph.root) if self.question.attention in ("triton", "auto") else {}

    @cached_property
    def sizes(self) -> Sizes:
        return Sizes.of(self.graph, self.question.sizes)

    @property
    def numeric(self) -> bool:
        """Whether every size is given."""
        return set(self.graph.dims) <= set(self.question.sizes)

    @cached_property
    def inference(self) -> Trace:
        """One forward pass without gradients."""
        given = shapes(self.graph, self.sizes, self.question.dtype)
        return self.subject.trace(given, self.question.inference)

    @cached_property
    def alive_at_peak(self) -> tuple[Alive, ...]:
        """What the peak of that pass consists of."""
        given = shapes(self.graph, self.sizes, self.question.dtype)
        return self.subject.alive_at_peak(given, self.question.inference)

    @cached_property
    def training(self) -> Trace:
        """The forward pass of a step of training, up to its loss where there is one."""
        return self.training_step.forward

    @property
    def training_peak(self) -> int:
        """The most bytes alive in a step beside weights, gradients and what the optimizer keeps."""
        return self.training_step.peak

    @cached_property
    def training_step(self) -> Stepped:
        """Forward and backward pass of a step of training."""
        from archspec.backends.torch.fake.traced import Adapters  # lazy: what needs no run starts without it

        mode, rank = self.question.training(self._loss), self.question.lora
        if rank is not None:
            mode = replace(mode, adapters=Adapters(rank, self.adapted))
        return self._trained_subject.train(self._trained, mode)

    @cached_property
    def _trained_subject(self) -> Subject:
        """Under selective checkpointing the source with each attention's scores under a checkpoint."""
        if self.question.checkpoint != "selective" or self.question.attention != "eager":
            return self.subject
        from archspec.backends.torch.fake.cores import with_cores_again  # lazy: as `subject`
        from archspec.backends.torch.fake.trace import Subject  # lazy: the same

        return Subject(with_cores_again(self._source), self.graph.name)

    @property
    def _loss(self) -> str | None:
        return self.graph.losses[0].name if self.graph.losses else None

    @cached_property
    def _trained(self) -> dict[str, Shaped]:
        return shapes(self.graph, self.sizes, self.question.policy.dtype, loss=self._loss)
