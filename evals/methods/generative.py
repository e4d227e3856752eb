"""Passive finetuning after the student has read the task's texts: unsupervised first, weak labels second."""

from __future__ import annotations

import shutil
from pathlib import Path

from askew.agent.journal import Data
from askew.agent.lab import Lab
from askew.agent.models.pull import model_folder
from askew.agent.representation import Representation
from askew.errors import InputError, RunError
from askew.evals.methods.registry import method
from askew.evals.methods.shared import Taught, one_hot, run_passive
from askew.prompts.loader import load_prompt
from askew.seeds import stream, stream_seed
from askew.tasks.case import Case, Split, Task
from askew.tasks.gold import LoadedTask

TEXTS = 600
"""Pool texts that are read, at most: more cost minutes without a GPU."""
EPOCHS = 1


@method("passive-generative", "passive finetuning of a student that was first finetuned to write the task's texts")
def passive_generative(lab: Lab, _: LoadedTask) -> None:
    """Language modelling on unlabelled pool texts, then weak labels on the features of what that made.

    After Burns et al. 2023, section 5.2.2 ("generative supervision"). There all weights are trained on all texts;
    here an adapter is, on a sample, and the labels are learned as everywhere: by heads on what that made, or by
    finetuning it further.
    """
    place = lab.folder / "student" / "generative"

    def read() -> None:
        from askew.agent.models.local import LocalModel

        with lab.stage("read"):
            facts = _read(lab, place)
        logged = lab.journal.fact("reading", lambda: facts)
        if logged != facts:
            raise RunError(
                f"the student in {place} is not the one that {lab.folder} was written with: its weights are gone and "
                "this machine trains others. Restore them, or use a new --out."
            )
        lab.representation = Representation(lab.task, LocalModel(lab.settings.student, place / "weights"), place)

    k = lab.task.n_options
    run_passive(lab, lambda cases, labels_N: Taught(cases, one_hot(labels_N, k), base=place / "weights"), begin=read)
    # The adapter stays; the whole model and its features can be made from it again.
    shutil.rmtree(place / "weights", ignore_errors=True)
    (place / "features.sqlite").unlink(missing_ok=True)


def _read(lab: Lab, place: Path) -> Data:
    """Train the adapter, unless it is there, and leave the merged weights in ``place/weights``."""
    from askew.agent.learners.examples import Passage, digest
    from askew.agent.learners.finetune import finetune_texts
    from askew.agent.learners.recipe import Recipe
    from askew.agent.learners.saving import CARD, merge_adapter, read_card

    base = model_folder(lab.settings.student)
    pool = lab.task.split(Split.POOL)
    order = stream(lab.settings.seed, "generative").permutation(len(pool))[:TEXTS]
    passages = [Passage(text) for index in order for text in written_out(lab.task, pool[int(index)])][:TEXTS]
    recipe = Recipe(epochs=EPOCHS, seed=stream_seed(lab.settings.seed, "generative") % 2**31)
    try:
        card = read_card(place / "adapter", verify=True)
    except InputError:
        card = {}
    if (card.get("data"), card.get("recipe")) != (digest(passages), recipe.model_dump()):
        shutil.rmtree(place, ignore_errors=True)
        finetune_texts(base, passages, recipe, name=lab.settings.student).save(place / "adapter")
        card = read_card(place / "adapter", verify=True)
    if not (place / "weights" / CARD).is_file():
        merge_adapter(base, place / "adapter", place / "weights")
    return {"texts": len(passages), "data": card["data"], "weights": card["files"], "tokens": card["tokens"]}


def written_out(task: Task, case: Case) -> list[str]:
    """The texts of a case as the student will read them, up to where it would judge them."""
    if not task.options_vary:
        return [load_prompt("judge").render(noun=task.noun, text=case.text, cue="")]
    return [f"{case.text}\n{task.question}\nAnswer: {option}" for option in case.options]
