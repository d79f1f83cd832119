"""How many findings one document is told at once."""

from __future__ import annotations

from archspec.errors import Collector
from archspec.spec.yaml_keys import MAX_FINDINGS


def stop_if_many(found: Collector) -> None:
    """Raises `SpecError` with the findings so far, where they are as many as anyone reads."""
    if len(found.diagnostics) >= MAX_FINDINGS:
        found.raise_if_any()
