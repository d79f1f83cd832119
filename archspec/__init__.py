"""A model architecture, written once as YAML, and read in many ways.

The verbs are those of `archspec.api` and `archspec.api_run`; they are imported when first used, so that
`import archspec` is cheap.
"""

from __future__ import annotations

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
    from archspec.api_run import load_tensors, parts, prepare, sample, samples, save_image, save_tensors

__all__ = [
    "ArchspecError",
    "Diagnostic",
    "__version__",
    "attention_weights",
    "build",
    "catalog",
    "check",
    "compile",
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
    from archspec import api  # lazy: it is most of what a short command costs

    if not hasattr(api, name):
        from archspec import api_run  # lazy: the same

        return getattr(api_run, name)
    return getattr(api, name)


def __dir__() -> list[str]:
    return __all__
