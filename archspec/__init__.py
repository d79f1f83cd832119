"""A model architecture, written once as YAML, and read in many ways.

The verbs are those of `archspec.api`, `api_run`, `api_analyze` and `api_measure`; they are imported when
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
        import_config,
        kernels,
        load,
        lower,
        new,
        outline,
        schema,
        show,
        source,
        start_token,
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
    from archspec.api_bench import bench, load_bench, save_bench
    from archspec.api_compare import check_budget, compare, comparison_tables, curves, scale, scale_tables
    from archspec.api_export import Format, Verification, doctor, export, export_tables, verdicts
    from archspec.api_kernels import kernel_tables, write_kernels
    from archspec.api_measure import (
        calibrate,
        device_table,
        load_reached,
        profile,
        save_device,
        save_reached,
        verify_cost,
    )
    from archspec.api_plan import Cluster, Demand, TrainingGoal, plan, plan_serving, plan_tables
    from archspec.api_run import (
        generate,
        load_tensors,
        parts,
        predict,
        prepare,
        sample,
        samples,
        save_image,
        save_tensors,
        streams,
    )

__all__ = [
    "Account",
    "ArchspecError",
    "Cluster",
    "Demand",
    "Diagnostic",
    "Format",
    "Place",
    "Question",
    "Table",
    "TrainingGoal",
    "Verification",
    "__version__",
    "analyze",
    "attention_weights",
    "bench",
    "build",
    "calibrate",
    "catalog",
    "check",
    "check_budget",
    "compare",
    "comparison_tables",
    "compile",
    "cost_tables",
    "curves",
    "device",
    "device_table",
    "diff",
    "doctor",
    "export",
    "export_hf",
    "export_tables",
    "fmt",
    "generate",
    "import_config",
    "kernel_tables",
    "kernels",
    "load",
    "load_bench",
    "load_reached",
    "load_tensors",
    "lower",
    "new",
    "outline",
    "parts",
    "plan",
    "plan_serving",
    "plan_tables",
    "predict",
    "prepare",
    "profile",
    "render",
    "sample",
    "samples",
    "save_bench",
    "save_device",
    "save_image",
    "save_reached",
    "save_tensors",
    "scale",
    "scale_tables",
    "schema",
    "show",
    "source",
    "start_token",
    "streams",
    "verdicts",
    "verify_cost",
    "vocabulary",
    "weight_map",
    "why",
    "write_kernels",
]

ROOMS = (
    "api",
    "api_run",
    "api_analyze",
    "api_bench",
    "api_compare",
    "api_export",
    "api_kernels",
    "api_measure",
    "api_plan",
)


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'archspec' has no attribute '{name}'")
    for room in ROOMS:
        module = import_module(f"archspec.{room}")  # lazy: they are most of what a short command costs
        if hasattr(module, name):
            return getattr(module, name)
    raise AttributeError(f"archspec.{name} is nowhere")


def __dir__() -> list[str]:
    return __all__
