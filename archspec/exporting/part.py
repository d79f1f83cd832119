"""One model of several that are cut from one spec, in a folder of one client."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from archspec.backends.onnx.modes import in_mode, may_be_left_out
from archspec.exporting.files import Change, File, unchanged
from archspec.exporting.format import Format
from archspec.ir.graph import Graph

GIVEN = ("attention_mask",)  # optional inputs that clients give


@dataclass(frozen=True, slots=True)
class Part:
    """`file`: its path in the folder; `names`: what its inputs and outputs are called there.

    `change` makes of the model what the client expects. `constant`: inputs that hold one number throughout,
    and that of each case to verify with.
    """

    file: str
    graph: Graph
    names: Mapping[str, str] = field(default_factory=dict[str, str])
    change: Change = unchanged
    constant: Mapping[str, tuple[int, ...]] = field(default_factory=dict[str, tuple[int, ...]])

    def written_as(self, asked: Format) -> File:
        """What is written. Raises UnsupportedError O021 for an input that it cannot do without."""
        free = may_be_left_out(self.graph)
        out = [*asked.without, *(name for name in free if name not in GIVEN)]
        graph, form = in_mode(self.graph, "full", tuple(dict.fromkeys(name for name in out if name in free)))
        sizes = {name: size for name, size in asked.sizes.items() if name in graph.dims}
        return File(self.file, "full", graph, replace(form, fixed=sizes, names={**form.names, **self.names}))
