"""From the name after ``--supervisor`` to the supervisor, for every kind that needs no truth.

Kinds that learn or simulate from the truth (``model:``, ``planted:``, …) are listed here too, since a name
means one thing; ``askew.evals.supervisors`` builds those.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import entry_points

from askew.agent.config import Settings
from askew.agent.supervisors.base import Supervisor
from askew.agent.supervisors.column import ColumnSupervisor
from askew.agent.supervisors.crowd import RecordedCrowd
from askew.agent.supervisors.human import HumanSupervisor
from askew.agent.supervisors.plugin import checked_supervisor, load_plugin
from askew.errors import InputError
from askew.registry import Registry
from askew.tasks.case import Task

Build = Callable[[str, Task, Settings], Supervisor]
"""Makes a supervisor from what follows the colon, the task and the run's settings."""

ENTRY_POINTS = "askew.supervisors"


@dataclass(frozen=True)
class SupervisorKind:
    """One way of being a supervisor. ``build`` is ``None`` when it takes the truth to build one."""

    usage: str
    description: str
    build: Build | None = None


SUPERVISORS: Registry[SupervisorKind] = Registry("supervisor")


def _column(rater: str, task: Task, _: Settings) -> Supervisor:
    if rater in task.recorded or "+" not in rater:
        return ColumnSupervisor(task, rater)
    return RecordedCrowd(task, rater.split("+"))


def _material(_: str, task: Task, __: Settings) -> Supervisor:
    from askew.agent.supervisors.material import MaterialSupervisor

    return MaterialSupervisor(task)


def _http(address: str, task: Task, settings: Settings) -> Supervisor:
    from askew.agent.supervisors.http import HttpSupervisor

    return HttpSupervisor(address, task.question, settings.seed)


def _chat(argument: str, task: Task, _: Settings) -> Supervisor:
    from askew.agent.supervisors.chat import ChatSupervisor

    return ChatSupervisor(argument, task)


SUPERVISORS.add("column", SupervisorKind("column:NAME", "labels recorded in the file of cases", _column))
SUPERVISORS.add(
    "recorded", SupervisorKind("recorded:NAME", "one recorded human rater of the task; NAME+NAME… for several", _column)
)
SUPERVISORS.add(
    "human", SupervisorKind("human", "a person at this terminal", lambda _, task, __: HumanSupervisor(task.question))
)
SUPERVISORS.add("material", SupervisorKind("material", "chess: takes the greater piece, looks no further", _material))
SUPERVISORS.add("http", SupervisorKind("http:URL", "any endpoint that answers cases in JSON", _http))
SUPERVISORS.add("openai", SupervisorKind("openai:MODEL[@BASE_URL]", "a chat model prompted to label", _chat))
SUPERVISORS.add("model", SupervisorKind("model:NAME[:probe|lora|full]", "a smaller model trained on split 'weak'"))
SUPERVISORS.add(
    "planted",
    SupervisorKind("planted:NAME@STRENGTH+NAME@STRENGTH", "follows the truth except for named, systematic mistakes"),
)
SUPERVISORS.add("simulated", SupervisorKind("simulated:PATTERN@ACCURACY", "one accuracy, different patterns of error"))

SUPERVISORS.add(
    "trap", SupervisorKind("trap:SUPERVISOR", "another one, whose answer stands in every text as an opinion")
)


def kind_of(spec: str) -> str | None:
    """The kind that ``spec`` names, or ``None`` for a plugin."""
    kind = spec.partition(":")[0]
    return kind if kind in SUPERVISORS else None


def resolve_supervisor(spec: str, task: Task, settings: Settings) -> Supervisor:
    """The supervisor called ``spec``.

    Raises:
        InputError: the name is unknown, names a kind that takes the truth, or its argument can't be used.
    """
    kind = kind_of(spec)
    if kind is None:
        for plugin in entry_points(group=ENTRY_POINTS, name=spec):
            return checked_supervisor(spec, plugin.load(), settings)
        if ":" in spec:
            return load_plugin(spec, settings)
    build = SUPERVISORS[kind or spec].build  # raises for an unknown name, listing the known ones
    if build is None:
        raise InputError(f"supervisor {spec!r} is built from the truth; 'askew run' can, the agent can't.")
    return build(spec.partition(":")[2], task, settings)
