"""Build the supervisor a run names. Some learn from the weak split's gold, some err from the truth."""

from __future__ import annotations

from collections.abc import Callable

from askew.agent.config import Settings
from askew.agent.models.pull import model_folder
from askew.agent.supervisors.base import Supervisor
from askew.agent.supervisors.model import Features, ModelSupervisor
from askew.agent.supervisors.resolve import kind_of, resolve_supervisor
from askew.agent.supervisors.tuned import STEPS, TunedSupervisor
from askew.errors import InputError
from askew.evals.askable import askable
from askew.evals.simulated import honesty_of, planted, simulated
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
        return _trained(argument, loaded, features_of, settings.seed)
    truth = Truth(loaded, features_of("minilm"))
    if kind == "planted":
        made, honesty = planted(argument, loaded, truth, settings.seed), honesty_of(argument)
        return made if honesty is None else askable(made, argument, honesty, loaded)
    return simulated(argument, loaded, truth, features_of(settings.student), settings.seed)


def _trained(argument: str, loaded: LoadedTask, features_of: FeaturesOf, seed: int) -> Supervisor:
    """A small model trained on the weak split, which nothing else uses: a head on its features, or the whole of it."""
    name, _, how = argument.partition(":")
    if how not in {"", "probe", "lora", "full"}:
        raise InputError(f"model supervisor trained by {how!r}: expected probe, lora or full, as in model:{name}:lora.")
    cases = [case for case in loaded.task.split(Split.WEAK) if case.id in loaded.gold]
    if not cases:
        raise InputError(f"{loaded.task.name} has no gold-labelled cases in split 'weak' to train model:{name} on.")
    examples = [(case, loaded.gold[case.id]) for case in cases]
    if how in {"lora", "full"}:
        from askew.agent.learners.recipe import Recipe

        recipe = Recipe.model_validate({"learner": how, "seed": seed, **STEPS})
        return TunedSupervisor.train(examples, loaded.task, model_folder(name), f"model:{argument}", recipe)
    return ModelSupervisor.train(examples, features_of(name), loaded.task.options_vary, f"model:{name}")
