"""What is true of any case a supervisor may be asked: also of cases that were written or edited in a run.

Simulated supervisors err from the truth, so they need it for cases that have no gold label.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from askew.agent.supervisors.head import LogisticHead, fit_head, held_out_probabilities
from askew.agent.supervisors.model import Features, case_features
from askew.agent.write import parent_of
from askew.tasks.case import Case
from askew.tasks.gold import LoadedTask
from askew.tasks.passages import tokens

KEPT = 0.6
"""A case is an edit of the task's case with which it shares at least this share of words (Jaccard)."""


class Truth:
    """The truth of a case, by the best source there is.

    In order: its gold label; the task's own checker, where code can decide; the gold label of the case it
    was edited from (its id says which, otherwise the nearest wording); and an oracle, a head on
    ``features`` trained on all gold labels.
    """

    def __init__(self, loaded: LoadedTask, features: Features) -> None:
        self._loaded = loaded
        self._features = features
        self._cases = [case for case in loaded.task.cases if case.id in loaded.gold]
        self._by_id = {case.id: case for case in self._cases}

    def __call__(self, case: Case) -> int | None:
        """The index of the true option, or ``None`` where nothing can tell."""
        known = self._loaded.gold.get(case.id)
        if known is not None:
            return known
        if self._loaded.truth is not None and (decided := self._loaded.truth(case)) is not None:
            return decided
        # An edit keeps the order of the options.
        if (made_of := self._by_id.get(parent_of(case.id))) is not None:
            return self._loaded.gold[made_of.id]
        parent = self._parent(case)
        if parent is not None and (kept := self._same_option(case, parent)) is not None:
            return kept
        return int(self.oracle([case]).argmax()) if self._cases else None

    def oracle(self, cases: Sequence[Case]) -> NDArray[np.float64]:
        """p_N_K by the head trained on every gold label."""
        return self._head.probabilities(self._inputs(cases))

    @cached_property
    def held_out(self) -> dict[str, NDArray[np.float64]]:
        """p_K of every gold-labelled case, each by a head that did not see it."""
        p_N_K = held_out_probabilities(
            self._gold_inputs, self._loaded.gold.of(self._cases), self._loaded.task.n_options
        )
        return {case.id: p_K for case, p_K in zip(self._cases, p_N_K, strict=True)}

    def surety(self, case: Case) -> float:
        """How easy the case is to judge: as the task grades it, otherwise by a head that did not see it."""
        if self._loaded.difficulty is not None:
            return -self._loaded.difficulty(case)
        known = self.held_out.get(case.id)
        return float((self.oracle([case])[0] if known is None else known).max())

    def _inputs(self, cases: Sequence[Case]) -> NDArray[np.float32]:
        return case_features(cases, self._features, self._loaded.task.options_vary)

    @cached_property
    def _gold_inputs(self) -> NDArray[np.float32]:
        return self._inputs(self._cases)

    @cached_property
    def _head(self) -> LogisticHead:
        return fit_head(self._gold_inputs, self._loaded.gold.of(self._cases), self._loaded.task.n_options)

    @cached_property
    def _wordings(self) -> list[set[str]]:
        return [self._wording(case) for case in self._cases]

    def _wording(self, case: Case) -> set[str]:
        """The words of a case; where options vary many cases may share their text."""
        return tokens(" ".join([case.text, *case.options]) if self._loaded.task.options_vary else case.text)

    def _parent(self, case: Case) -> Case | None:
        """The case it was edited from: the one most alike, if it is alike enough."""
        said = self._wording(case)
        likeness = [len(said & other) / max(1, len(said | other)) for other in self._wordings]
        if not likeness or max(likeness) < KEPT:
            return None
        return self._cases[int(np.argmax(likeness))]

    def _same_option(self, case: Case, parent: Case) -> int | None:
        """The option of ``case`` that stands for the true one of ``parent``; options may have moved."""
        right = self._loaded.gold[parent.id]
        if not self._loaded.task.options_vary:
            return right
        wanted = tokens(parent.options[right])
        likeness = [len(wanted & tokens(one)) / max(1, len(wanted)) for one in case.options]
        best = int(np.argmax(likeness))
        return best if sorted(likeness)[-1] > sorted(likeness)[-2] else None
