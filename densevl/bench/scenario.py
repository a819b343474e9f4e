"""What a benchmark row compares: our form of a job and a plain one, on the same inputs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any

from densevl.core.errors import UnknownNameError

GROUP = "densevl.scenarios"


@dataclass(frozen=True)
class Scenario:
    """One job in two forms.

    Attributes:
        name: the row's name.
        prepare: makes the inputs, always the same.
        ours: inputs -> result.
        reference: inputs -> result of the plain form.
        compare: (inputs, result of ours, result of the plain form) -> whether they are equal, largest difference.
        quick: whether `--quick` has the time for it.
    """

    name: str
    prepare: Callable[[], Any]
    ours: Callable[[Any], Any]
    reference: Callable[[Any], Any]
    compare: Callable[[Any, Any, Any], tuple[bool, float]]
    quick: bool = True


def all_scenarios() -> list[Scenario]:
    """Ours, and those of other packages: an entry point of the group is a function that returns scenarios.

    Making the list loads no torch, so that a process which measures memory stays small.
    """
    from densevl.bench import affinity, class_map, cold_start, decoding, masks, metric, refinement, trident

    rooms = (class_map, metric, masks, affinity, trident, refinement, decoding, cold_start)
    found = [scenario for room in rooms for scenario in room.scenarios()]
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name):
        more: Iterable[Scenario] = entry.load()()
        found += more
    return found


def find_scenario(name: str) -> Scenario:
    """The scenario of a name.

    Raises:
        UnknownNameError: there is none.
    """
    known = {scenario.name: scenario for scenario in all_scenarios()}
    if name not in known:
        raise UnknownNameError("scenario", name, known)
    return known[name]
