"""A model architecture, written once as YAML, and read in many ways.

The verbs are those of `archspec.api`, `archspec.api_run` and `archspec.api_analyze`; they are imported when
first used, so that `import archspec` is cheap.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from archspec.errors import ArchspecError, Diagnostic
from archspec.version import VERSION as __version__

if TYPE_CHECKING:
    from archspec.api import (
        attention_weights,
        build,
        catalog,
        check,
        compile,
        diff,
        export_hf,
        fmt,
        generate,
        import_config,
        load,
        lower,
        new,
        outline,
        predict,
        schema,
        show,
        source,
        start_token,
        streams,
        vocabulary,
        weight_map,
        why,
    )
    from archspec.api_analyze import (
        Account,
        Place,
        Question,
        Table,
        analyze,
        cost_tables,
        device,
        render,
    )
    from archspec.api_run import load_tensors, parts, prepare, sample, samples, save_image, save_tensors

__all__ = [
    "Account",
    "ArchspecError",
    "Diagnostic",
    "Place",
    "Question",
    "Table",
    "__version__",
    "analyze",
    "attention_weights",
    "build",
    "catalog",
    "check",
    "compile",
    "cost_tables",
    "device",
    "diff",
    "export_hf",
    "fmt",
    "generate",
    "import_config",
    "load",
    "load_tensors",
    "lower",
    "new",
    "outline",
    "parts",
    "predict",
    "prepare",
    "render",
    "sample",
    "samples",
    "save_image",
    "save_tensors",
    "schema",
    "show",
    "source",
    "start_token",
    "streams",
    "vocabulary",
    "weight_map",
    "why",
]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'archspec' has no attribute '{name}'")
    for room in ("api", "api_run", "api_analyze"):  # lazy: they are most of what a short command costs
        module = import_module(f"archspec.{room}")
        if hasattr(module, name):
            return getattr(module, name)
    raise AttributeError(f"archspec.{name} is nowhere")


def __dir__() -> list[str]:
    return __all__
