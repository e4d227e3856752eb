"""The scientific method with one part taken out: what each part is worth, in the same table."""

from __future__ import annotations

from askew.agent.controls import Controls
from askew.agent.lab import Lab
from askew.agent.loop import scientific
from askew.agent.supervisors.base import Supervisor, answers_new_cases
from askew.evals.methods.registry import METHODS, Method
from askew.tasks.case import Task
from askew.tasks.gold import LoadedTask

CONTROLS = {
    "label-free": ("scientific, but nothing is asked", Controls(asks="nothing")),
    "random-cases": ("scientific, but random cases of the pool are asked", Controls(asks="random")),
    "naive-proposals": ("scientific, but the model's own naive proposals are asked", Controls(asks="proposed")),
    "no-noise": ("scientific, but information gain takes answers for the truth", Controls(noise=False)),
    "no-generated": ("scientific, but only cases of the pool: none written, none edited", Controls(generates=False)),
    "no-channel": ("scientific, but the pool is read one way only", Controls(channel=False)),
    "no-mistakes": ("scientific, but answers count at face value", Controls(mistakes=False)),
    "no-chains": ("scientific, but every attribute of the bank is a hypothesis set", Controls(chains=False)),
    "no-bank": ("scientific, but only chains and surprises propose hypothesis sets", Controls(bank=False)),
    "no-warm-up": ("scientific, but chains are sampled by prompts alone", Controls(warm=False)),
    "no-clusters": ("scientific, but every claim is its own hypothesis", Controls(clusters=False)),
}


def _run_with(controls: Controls, lab: Lab) -> None:
    if controls.asks == "proposed":
        # As many proposals as there are labels, with some to spare for those that can't be used.
        each_round = -(-2 * lab.settings.budget // lab.settings.rounds)
        lab.settings = lab.settings.model_copy(update={"proposed": each_round})
    scientific(lab, controls)


def _needs_new_cases(supervisor: Supervisor, task: Task) -> str | None:
    """What is lacking where the model's proposals can't be asked, or it makes none."""
    if not answers_new_cases(supervisor):
        return "a supervisor that answers new cases"
    return "a task whose options are the same in every case" if task.options_vary else None


def _method(description: str, controls: Controls) -> Method:
    def run(lab: Lab, _: LoadedTask) -> None:
        _run_with(controls, lab)

    if controls.asks == "proposed":
        return Method(description, run, needs=_needs_new_cases)
    return Method(description, run)


for _name, (_description, _controls) in CONTROLS.items():
    METHODS.add(_name, _method(_description, _controls))
