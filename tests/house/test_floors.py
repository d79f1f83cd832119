"""Imports point strictly downward, and torch stays in its rooms."""

import re

from tests.house.tree import ROOT, Import, Module, modules

# From the top floor down. A room imports itself and the floors below it, never its floor's other rooms.
FLOORS = (
    {"__main__"},
    {"cli"},
    {
        "cli_analyze",
        "cli_begin",
        "cli_bench",
        "cli_compare",
        "cli_export",
        "cli_kernels",
        "cli_model",
        "cli_plan",
        "cli_profile",
        "cli_run",
        "cli_spec",
    },
    {"cli_answer", "cli_budget"},
    {"cli_common"},
    {"__init__"},
    {
        "api_analyze",
        "api_bench",
        "api_compare",
        "api_export",
        "api_kernels",
        "api_measure",
        "api_plan",
        "api_run",
    },
    {"api"},
    {"measuring", "pipelines"},
    {"exporting"},
    {"decode", "facts", "importing", "json_schema", "model", "reports", "resolve", "text_tokens", "views"},
    {"analysis", "backends", "diagram", "weights"},
    {"lowering"},
    {"components"},
    {"spec", "ir"},
    {"dims"},
    {"units", "library", "quantity", "atomic", "report", "explain", "extras"},
    {"errors", "version"},
)
LEVEL = {room: -depth for depth, rooms in enumerate(FLOORS) for room in rooms}

TORCH_ROOMS = re.compile(
    r"archspec/(backends/torch/runtime(/.*)?|backends/torch/kernels/template/.*|measuring/.*|pipelines/.*|weights/[^/]*torch[^/]*|api|model|decode)\.py"
)


def ours(module: Module) -> list[tuple[Import, str]]:
    """The imports of archspec itself, each with the room it leads to."""
    inner = [found for found in module.imports if found.target.split(".")[0] == "archspec"]
    return [(found, (*found.target.split("."), "__init__")[1]) for found in inner]


def test_every_module_has_a_floor():
    assert [module.name for module in modules() if module.room not in LEVEL] == []


def test_imports_point_downward():
    wrong = [
        f"{module.at(found.line)}: {module.room} imports {found.target}"
        for module in modules()
        for found, room in ours(module)
        if room != module.room and LEVEL[room] >= LEVEL[module.room]
    ]
    assert wrong == []


def test_backends_do_not_know_each_other():
    wrong = [
        f"{module.at(found.line)}: imports {found.target}"
        for module in modules()
        for found, _ in ours(module)
        if module.room == "backends" and backend(found.target) not in (None, backend(module.name))
    ]
    assert wrong == []


def backend(name: str) -> str | None:
    """`torch` for archspec.backends.torch.emit; None for what the backends share, which is a file."""
    parts = name.split(".")
    shared = parts[1] != "backends" or len(parts) < 3 or not ROOT.joinpath(*parts[:3]).is_dir()
    return None if shared else parts[2]


def test_imports_stand_at_the_top_or_say_why_not():
    wrong = [
        f"{module.at(found.line)}: imports {found.target} without '# lazy: reason' on the line"
        for module in modules()
        for found in module.imports
        if found.in_function and not re.search(r"# lazy: \w+", module.lines[found.line - 1])
    ]
    assert wrong == []


def test_torch_stays_in_its_rooms():
    wrong = [
        module.at(found.line)
        for module in modules()
        for found in module.imports
        if found.target.split(".")[0] == "torch" and not found.for_types_only
        if not TORCH_ROOMS.fullmatch(module.path.relative_to(ROOT).as_posix())
    ]
    assert wrong == []
