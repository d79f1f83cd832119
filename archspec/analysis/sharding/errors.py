"""A model that cannot be split as asked."""

from __future__ import annotations

from archspec.errors import ArchspecError


class LayoutError(ArchspecError):
    """Sizes of a model, or of a cluster, do not fit a layout."""
