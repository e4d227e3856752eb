"""Build the supervisor a run names. Some learn from the weak split's gold, some err from the truth."""

from __future__ import annotations

from collections.abc import Callable

from askew.agent.config import Settings
from askew.agent.supervisors.base import Supervisor
from askew.agent.supervisors.model import Features, ModelSupervisor
from askew.agent.supervisors.resolve import kind_of, resolve_supervisor
from askew.errors import InputError
from askew.evals.simulated import planted, simulated
from askew.evals.truth import Truth
from askew.tasks.case import Split
from askew.tasks.gold import LoadedTask

FeaturesOf = Callable[[str], Features]
"""The features that a model's name stands for ("minilm": sentence embeddings)."""


def build_supervisor(settings: Settings, loaded: LoadedTask, features_of: FeaturesOf) -> Supervisor:
    """The supervisor ``settings.supervisor`` names.

    Raises:
        InputError: it is unknown, or can't be built for this task (no gold to learn from, say).
    """
    kind, _, argument = settings.supervisor.partition(":")
    if kind_of(settings.supervisor) is None or kind not in {"model", "planted", "simulated"}:
        return resolve_supervisor(settings.supervisor, loaded.task, settings)
    if not loaded.gold:
        raise InputError(
            f"supervisor {settings.supervisor!r} is built from gold labels, and {settings.task} has none. "
            "Use column:NAME, human or a plugin."
        )
    if kind == "model":
        return _trained(argument, loaded, features_of)
    truth = Truth(loaded, features_of("minilm"))
    if kind == "planted":
        return planted(argument, loaded, truth, settings.seed)
    return simulated(argument, loaded, truth, features_of(settings.student), settings.seed)


def _trained(argument: str, loaded: LoadedTask, features_of: FeaturesOf) -> Supervisor:
    """A head on a small model's frozen features, trained on the weak split, which nothing else uses."""
    name, _, how = argument.partition(":")
    if how not in {"", "probe"}:
        raise InputError(f"model supervisor trained by {how!r}: expected 'probe' (model:{name} or model:{name}:probe).")
    cases = [case for case in loaded.task.split(Split.WEAK) if case.id in loaded.gold]
    if not cases:
        raise InputError(f"{loaded.task.name} has no gold-labelled cases in split 'weak' to train model:{name} on.")
    examples = [(case, loaded.gold[case.id]) for case in cases]
    return ModelSupervisor.train(examples, features_of(name), loaded.task.options_vary, f"model:{name}")
