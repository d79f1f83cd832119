"""Losses as methods: run the model, and score what it gives."""

from __future__ import annotations

import re
from dataclasses import replace

from msgspec import Struct

from archspec.backends.torch.forward import Body, shape_text
from archspec.backends.torch.layout import docstring, statement, wrapped
from archspec.backends.torch.model import Model
from archspec.backends.torch.nodes import write_nodes
from archspec.ir.graph import Apply, Loss, Region, Value
from archspec.ir.ops.loss import CrossEntropy, MeanError


def loss_methods(model: Model) -> list[str]:
    """The lines of `loss`, or of one method per loss."""
    losses = model.graph.losses
    names = ["loss" if len(losses) == 1 else f"loss_{loss.name}" for loss in losses]
    methods = (Method(model, loss, name) for loss, name in zip(losses, names, strict=True))
    return [line for method in methods for line in ("", *method.text())]


class Method(Struct, frozen=True):
    """One loss as a method. Its parameters: what the loss and its feed read, and what the model must have."""

    model: Model
    loss: Loss
    name: str

    def text(self) -> list[str]:
        required, optional = self._required(), self._optional()
        params = [f"{v.name}: Tensor" for v in required] + [
            f"{v.name}: Tensor | None = None" for v in optional
        ]
        head = wrapped(f"def {self.name}(", ["self", *params], ") -> Tensor:", 4)
        lines = [*self._feed(), *self._score()]
        if any(re.search(r"\bpast\b", line) for line in lines):
            lines.insert(0, "        past = 0")
        return [*head, *docstring([self._words()], 8), *lines]

    def _words(self) -> str:
        """What the loss is, in words."""
        last = self.loss.region.nodes[-1]
        op = last.op if isinstance(last, Apply) else None
        if isinstance(op, CrossEntropy):
            return f"The loss '{self.loss.name}': mean cross-entropy in nats."
        if isinstance(op, MeanError):
            return f"The loss '{self.loss.name}': mean {'squared' if op.fn == 'mse' else 'absolute'} error."
        return f"The loss '{self.loss.name}': a number to minimise."

    # inputs

    def _fed(self) -> set[str]:
        """Inputs of the model that the loss makes itself."""
        return {v.name for v in self.loss.feed.outputs} if self.loss.feed else set()

    def _required(self) -> list[Value]:
        """Inputs that a caller of the loss must give."""
        read = {
            v.name for v in (*self.loss.region.inputs, *(self.loss.feed.inputs if self.loss.feed else ()))
        }
        needed = read | {v.name for v in self.model.inputs() if not self.model.absent(v)}
        return [v for v in self.model.root.inputs if v.name in needed - self._fed()]

    def _optional(self) -> list[Value]:
        known = {*self._fed(), *(v.name for v in self._required())}
        return [v for v in self.model.inputs() if self.model.absent(v) and v.name not in known]

    # statements

    def _feed(self) -> list[str]:
        """The inputs that the loss makes."""
        if self.loss.feed is None:
            return []
        body = self._body(self.loss.feed)
        write_nodes(body, self.loss.feed.nodes)
        for output in self.loss.feed.outputs:
            text = body.text(output)
            if text != output.name:
                body.lines += statement(f"{output.name} = ", text, 8, shape_text(output.type))
        return body.lines

    def _score(self) -> list[str]:
        body = self._body(self.loss.region)
        lines = self._run(body)
        write_nodes(body, self.loss.region.nodes)
        return [*lines, *body.lines, *statement("return ", body.text(self.loss.region.outputs[0]), 8)]

    def _body(self, region: Region) -> Body:
        body = Body(self.model.module, region)
        body.begin([replace(v, optional=False) for v in self._required()], region.nodes, region.outputs)
        return body

    def _run(self, body: Body) -> list[str]:
        """The model's results as variables of the loss."""
        results = dict(self.model.graph.outputs)
        used = [v for v in self.loss.region.inputs if v.name in results]
        for value in used:
            body.variables.bind(value.name, value)
        if len(used) == 1:
            attribute = f".{used[0].name}" if len(results) > 1 else ""
            return statement(f"{used[0].name} = ", f"{self._call()}{attribute}", 8)
        return [*statement("out = ", self._call(), 8), *(f"        {v.name} = out.{v.name}" for v in used)]

    def _call(self) -> str:
        """The call of the model: by position as far as that goes."""
        known = {*self._fed(), *(v.name for v in (*self._required(), *self._optional()))}
        given: list[str] = []
        skipped = False
        for value in self.model.inputs():
            if value.name in known:
                given.append(f"{value.name}={value.name}" if skipped else value.name)
            skipped = skipped or value.name not in known
        return f"self({', '.join(given)})"
