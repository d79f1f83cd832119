"""How often a call is run and counted, and the memory of one. Times themselves are not asserted."""

import torch

from archspec.measuring.timing import Plan, most_memory, seconds

CPU = torch.device("cpu")


class Calls:
    """Counts what was done."""

    def __init__(self) -> None:
        self.done: list[str] = []

    def run(self) -> None:
        self.done.append("run")

    def before(self) -> None:
        self.done.append("before")


def test_warm_up_is_not_counted_and_every_run_is_prepared():
    calls = Calls()
    found = seconds(calls.run, CPU, Plan(warm_up=2, repeat=3), calls.before)
    assert len(found) == 3
    assert all(one > 0 for one in found)
    assert calls.done == ["before", "run"] * 5


def test_without_a_number_it_stops_at_the_most_runs_or_at_the_end_of_its_time():
    calls = Calls()
    assert len(seconds(calls.run, CPU, Plan(warm_up=0, most=7), calls.before)) == 7
    assert len(seconds(calls.run, CPU, Plan(warm_up=0, least=4, budget=0.0), calls.before)) == 4


def test_memory_of_a_call_is_what_it_took_at_most():
    size = 96 << 20
    taken = most_memory(lambda: torch.ones(size, dtype=torch.uint8), CPU)
    assert taken is not None
    assert taken > 0.8 * size
