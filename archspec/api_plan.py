"""The verbs that plan: layouts for training, devices for serving. None of them needs torch."""

from __future__ import annotations

from collections.abc import Mapping

from archspec.analysis.roofline import Efficiency
from archspec.api import Named, load, lower
from archspec.errors import ArchspecError, Diagnostic, did_you_mean
from archspec.lowering.lower import lower_to_run
from archspec.reports.plan import Cluster, Plan, TrainingGoal
from archspec.reports.plan_tables import plan_tables as training_tables
from archspec.reports.serving_plan import ServingPlan
from archspec.reports.serving_plan_tables import serving_tables
from archspec.reports.station import Demand
from archspec.reports.table import Table


def plan(spec: Named, cluster: Cluster, goal: TrainingGoal) -> Plan:
    """The layouts in which a cluster can train a model: `fitting` has them, the fastest first.

    Times are estimates by a model that was fitted on published runs; tables give their range. Raises what
    `lower` raises, and ArchspecError G006, G010, G016, G017 for layouts, A001 to A003 for sizes, D003 to D005
    for the device, the optimizer and the precision.
    """
    return Plan(lower(load(spec)), cluster, goal)


def plan_serving(
    specs: Mapping[str, Named], cluster: Cluster, demands: Mapping[str, Demand], *,
    dtype: str = "bfloat16", reached: Efficiency | None = None,
) -> ServingPlan:  # fmt: skip
    """Models on shared devices, the fewest that carry all loads at the worse end of the efficiencies.

    `demands` has one entry for each of `specs`. Raises what `lower` raises, and ArchspecError G018 where the
    devices do not carry the load, G019 where a model and its load do not meet, A001 and A002 for sizes, D003
    and D004 for figures.
    """
    for name in {**specs, **demands}:
        if name not in demands or name not in specs:
            _unmet(name, specs, demands)
    lowered = {name: lower_to_run(load(spec)) for name, spec in specs.items()}
    return ServingPlan(lowered, cluster, demands, dtype, reached)


def _unmet(name: str, specs: Mapping[str, Named], demands: Mapping[str, Demand]) -> None:
    if name in specs:
        message, hint = f"no load is said for '{name}'", f"give --load {name}=REQUESTS a second"
    else:
        message = f"a load for '{name}', which is not served"
        hint = did_you_mean(name, specs) or f"served: {', '.join(specs)}"
    raise ArchspecError(Diagnostic("G019", message, None, hint))


def plan_tables(found: Plan | ServingPlan, top: int = 10) -> list[Table]:
    """A plan for people; of layouts the `top` fastest. Raises what the plan raises."""
    return serving_tables(found) if isinstance(found, ServingPlan) else training_tables(found, top)


__all__ = ["Cluster", "Demand", "TrainingGoal", "plan", "plan_serving", "plan_tables"]
