"""A set that was suspected and then refuted is killed, by a case that is named, and doesn't come back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.conftest import ScriptedModel, embed

from askew.agent.config import Settings
from askew.agent.design import Candidate
from askew.agent.ground import Grounder
from askew.agent.hypotheses import Grounding
from askew.agent.journal import Journal
from askew.agent.lab import Lab
from askew.agent.lineage import form_sets, give_up
from askew.agent.notebook import Notebook
from askew.agent.representation import Representation
from askew.agent.sets import Proposal, make_set
from askew.agent.update import learn, update_beliefs
from askew.tasks.case import Case, Task

LOUD = "exclamation marks"


def test_answers_refute_what_they_had_made_suspected(
    scripted: ScriptedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [
        f"Number {i}{' of all' * (i % 3)}: the plot is {('dull', 'lovely')[i % 2]}{' !!!' if i // 2 % 2 else ' .'}"
        for i in range(160)
    ]
    task = Task("loud", "Is it so?", "review", tuple(Case(f"c{i}", t, ("no", "yes")) for i, t in enumerate(texts)))
    representation = Representation(task, scripted, tmp_path / "cache")
    notebook = Notebook(representation, Grounder(task, embed))
    for number, name in enumerate((LOUD, "length"), start=1):
        notebook.sets.append(make_set(Proposal(name, Grounding(name, False, 1, 1.0), {}, 0.05, (), ""), number, task))
    with Journal(tmp_path / "run") as journal:
        lab = Lab(
            settings=Settings(), task=task, supervisor=None, model=scripted, representation=representation,  # type: ignore[arg-type]
            embed=embed, journal=journal, folder=tmp_path / "run",
        )  # fmt: skip

        def hear(cases: tuple[Case, ...], wrong: Callable[[Case], bool]) -> None:
            for case in cases:
                notebook.record(Candidate(case, "pool"), int("lovely" in case.text or wrong(case)), {})
            learn(notebook)
            update_beliefs(notebook)
            give_up(lab, notebook)

        hear(task.cases[:16], lambda case: "!" in case.text)  # by accident
        assert notebook.suspected["S1"] > 0.5 and not journal.events("hypothesis-killed"), "suspected, and no more"
        hear(task.cases[16:], lambda case: int(case.id[1:]) % 20 == 0)  # none of these is loud
        killed = [event.data for event in journal.events("hypothesis-killed") if event.data["set"] == "S1"]
        assert len(killed) == 1 and killed[0]["why"].startswith("p(it matters) fell from ")
        against = next(case for case in task.cases if case.id == killed[0]["case"])
        assert "!" in against.text, "a case that tells of it"
        assert LOUD not in {one.subject for one in notebook.sets}
        last = journal.events("belief")[-1].data
        assert last["set"] == "S1" and last["posterior"]["h0"] > 0.97, "what it came to is in the log"
        again = [Proposal(name, Grounding(name, False, 1, 1.0), {}, 0.1, (), "") for name in (LOUD, "question marks")]
        form_sets(lab, notebook, again)
        assert {one.subject for one in notebook.sets} == {"length", "question marks"}
        monkeypatch.setattr("askew.agent.lineage.LARGEST_NUMBER_OF_SETS", 2)
        gone = max(notebook.sets, key=lambda one: notebook.beliefs[one.id].none)
        others = [Proposal(name, Grounding(name, False, 1, 1.0), {}, 0.1, (), "") for name in ("commas", gone.subject)]
        form_sets(lab, notebook, others)
        assert gone.subject not in {one.subject for one in notebook.sets}, "what made room doesn't come back at once"
