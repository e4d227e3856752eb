"""From words to numbers: what a hypothesis about any subject predicts for any case.

A subject is grounded by the attribute whose name is nearest in meaning; where none is near, by a probe of what the
strong model says has it (:mod:`askew.agent.annotate`), if it can be asked such things; else by the words of each text
that are near to it in meaning, or where no text has any, by the text as a whole. In every case the result is an
*effect*, φ(x, k): how much the subject speaks for option k of case x.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property, partial
from itertools import islice, starmap

import numpy as np
from numpy.typing import NDArray

from askew.agent.annotate import Annotate, Concept, learned, nobody
from askew.agent.cluster import Embed
from askew.agent.conditional_logit import Array
from askew.agent.conditions import conditional, levelled, narrowed, parts_of, read, shortest_between
from askew.agent.correlation import correlation
from askew.agent.hypotheses import Grounding
from askew.agent.kindred import Nearness, families, tells
from askew.errors import InputError
from askew.tasks.attributes import bank, find, keyword, measure
from askew.tasks.case import Attribute, Case, Split, Task
from askew.tasks.passages import words_of

NEAR_ENOUGH = 0.45
"""Cosine similarity from which a subject is taken to mean an attribute."""
CONCEPT_TRUST = 0.5
"""How far nearness in meaning is trusted where nothing tells how good it is."""
ALIKE = 0.5
"""Correlation over the pool from which a family of words says what an attribute says already."""
STEEPNESS = 1.5
"""Effects are tanh(STEEPNESS · standard deviations): most of it is which way it goes, so one odd case can't decide."""
LEVELS = tuple(np.linspace(0.05, 0.95, 19))
"""Shares of the pool's texts that have no more of a subject than what may be all that counts."""
NORMAL = 1.4826
"""Standard deviations of a normal distribution in its median absolute deviation."""


Rows = NDArray[np.int64]


class _Column:
    """What one grounding measures, by the number of the case; the rows of cases not yet measured are not numbers."""

    def __init__(self) -> None:
        self.raw_R_J: Array = np.zeros((0, 1))

    def missing(self, row_N: Rows) -> Rows:
        """Which of these rows were not measured, each once."""
        held = len(self.raw_R_J)
        known_N = np.zeros(len(row_N), dtype=np.bool_)
        known_N[row_N < held] = ~np.isnan(self.raw_R_J[row_N[row_N < held], 0])
        return np.unique(row_N[~known_N])

    def fill(self, row_M: Rows, raw_M_J: Array) -> None:
        """Keep what was measured in these rows."""
        grown_R_J = np.full((max(len(self.raw_R_J), int(row_M.max()) + 1), raw_M_J.shape[1]), np.nan)
        if len(self.raw_R_J):
            grown_R_J[: len(self.raw_R_J)] = self.raw_R_J
        grown_R_J[row_M] = raw_M_J
        self.raw_R_J = grown_R_J


class Grounder:
    """Measures subjects on the cases of one task. Scales come from the pool's texts; no labels.

    Raises ``InputError`` where an attribute of the task has a name that is read otherwise.
    """

    def __init__(self, task: Task, embed: Embed, annotate: Annotate = nobody) -> None:
        self.task = task
        self._embed = embed
        self._annotate = annotate
        self._concepts: dict[str, Concept | None] = {}
        self._attributes = {**bank(task.options_vary), **task.attributes}
        for name in self._attributes:
            if read(name).subject != name:
                raise InputError(
                    f"the attribute {name!r} of {task.name} is named as what is narrowed to a condition or a level "
                    "is ('… where …', '… without …', '… above 3'): expected another name, such as one with hyphens."
                )
        self._spreads: dict[Grounding, float] = {}
        self._usually: dict[Grounding, float] = {}
        self._columns: dict[Grounding, _Column] = {}
        self._row_of: dict[Case, int] = {}
        self._pool_N = self._rows(task.split(Split.POOL))
        self._near = Nearness(embed)
        self._named: dict[Grounding, bool] = {}
        self._told_by_words: dict[str, bool] = {}
        self._names = list(self._attributes)
        self._names_A_D = embed(self._names)

    def ground(self, subject: str) -> Grounding:
        """The measure that a subject's words mean, with how far it can be trusted."""
        similarity_A = self._names_A_D @ self._embed([subject])[0]
        best = int(similarity_A.argmax())
        last = self.task.n_options - 1
        if similarity_A[best] >= NEAR_ENOUGH:
            return Grounding(self._names[best], False, last, round(float(min(1.0, similarity_A[best])), 3))
        concept = self._concept(subject)
        return Grounding(subject, True, last, CONCEPT_TRUST if concept is None else round(concept.trust, 3))

    def attributes(self) -> list[Grounding]:
        """Every attribute of the bank that differs between the cases of the pool."""
        last = self.task.n_options - 1
        groundings = [Grounding(name, False, last, 1.0) for name in self._names]
        return [grounding for grounding in groundings if self.varies(grounding)]

    @property
    def many_classes(self) -> bool:
        """Whether there are more than two classes, any of which a measure of the text may speak for."""
        return not self.task.options_vary and self.task.n_options > 2

    def for_each_option(self, groundings: Sequence[Grounding]) -> list[Grounding]:
        """The same measures speaking for each option in turn, where there are more than two classes.

        Of two classes one is enough: what speaks against the last speaks for the first.
        """
        if not self.many_classes:
            return list(groundings)
        return [replace(grounding, option=k) for grounding in groundings for k in range(self.task.n_options)]

    def conditionals(self, grounding: Grounding) -> list[Grounding]:
        """The measure as it may count only with, or only without, another attribute.

        None where it is narrowed already.
        """
        if grounding.concept or narrowed(grounding):
            return []
        others = [other.measure for other in self.attributes() if other.measure != grounding.measure]
        return [
            replace(grounding, measure=conditional(grounding.measure, other, present))
            for other in others
            for present in (True, False)
        ]

    def levels(self, grounding: Grounding) -> list[Grounding]:
        """The measure as it may count only above some amount, one of the pool's quantiles; its own is left out.

        None where it has a condition, or is of options, which are held against each other.
        """
        subject, condition, _, _ = parts_of(grounding)
        if grounding.concept or condition is not None:
            return []
        raw_N_J = self._measure(replace(grounding, measure=subject), self._pool_N)
        if raw_N_J.shape[1] > 1:
            return []
        amount_A = np.unique(raw_N_J)
        tried_A = np.unique(np.quantile(raw_N_J, LEVELS, method="inverted_cdf"))
        following = amount_A[np.minimum(np.searchsorted(amount_A, tried_A, side="right"), len(amount_A) - 1)]
        names = [
            levelled(subject, shortest_between(float(amount), float(more)))
            for amount, more in zip(tried_A, following, strict=True)
            if amount < more
        ]
        return [replace(grounding, measure=name) for name in names if name != grounding.measure]

    def varies(self, grounding: Grounding) -> bool:
        """Whether the measure tells any cases of the pool apart."""
        return self._spread(grounding) > 1e-9

    def effects(self, groundings: Sequence[Grounding], cases: Sequence[Case]) -> Array:
        """effects_N_K_S of the cases under each grounding, between -1 and 1; rows are centred over the options."""
        k, row_N = self.task.n_options, self._rows(cases)
        effects_N_K_S = np.zeros((len(cases), k, len(groundings)))
        for s, grounding in enumerate(groundings):
            deviation_N_J = self._deviations(grounding, row_N)
            if deviation_N_J.shape[1] == 1:
                # More than usual in the text speaks for one option, less for none; options speak for themselves.
                effects_N_K_S[:, :, s] = np.maximum(deviation_N_J, 0.0) * (np.eye(k)[grounding.option] - 1.0 / k)
            else:
                effects_N_K_S[:, :, s] = (deviation_N_J - deviation_N_J.mean(axis=1, keepdims=True)) / 2
        return effects_N_K_S

    def presence(self, groundings: Sequence[Grounding], cases: Sequence[Case]) -> Array:
        """presence_N_S, 0 to 1: how much more of each subject a case has than is usual; 0 for measures of options.

        1 above the level of what has one.
        """
        row_N = self._rows(cases)
        presence_N_S = np.zeros((len(cases), len(groundings)))
        for s, grounding in enumerate(groundings):
            deviation_N_J = self._deviations(grounding, row_N)
            if deviation_N_J.shape[1] == 1:
                presence_N_S[:, s] = np.maximum(deviation_N_J[:, 0], 0.0)
        return presence_N_S

    def _deviations(self, grounding: Grounding, row_N: Rows) -> Array:
        """deviation_N_J, between -1 and 1: from the pool's median, or from the mean of the case's options.

        0 where a condition of the measure doesn't hold; 1 or 0 where it is narrowed to what is above a level.
        """
        if not len(row_N):
            return np.zeros((0, 1))
        subject, condition, present, above = parts_of(grounding)
        if above is not None:
            more_N_1: Array = (self._measure(replace(grounding, measure=subject), row_N) > above).astype(np.float64)
            return more_N_1
        if condition is not None:
            given = Grounding(condition, False, grounding.option, 1.0)
            more_N_J = self._measure(given, row_N) > self._usual(given)
            whole_N_J = self._deviations(replace(grounding, measure=subject), row_N)
            if whole_N_J.shape[1] < more_N_J.shape[1]:  # the text has a condition of its options if one of them has
                more_N_J = more_N_J.max(axis=1, keepdims=True)
            return np.where(more_N_J == present, whole_N_J, 0.0)
        if not self.varies(grounding):
            return np.zeros((len(row_N), 1))
        raw_N_J = self._measure(grounding, row_N)
        centre = self._usual(grounding) if raw_N_J.shape[1] == 1 else raw_N_J.mean(axis=1, keepdims=True)
        deviation_N_J: Array = np.tanh(STEEPNESS * (raw_N_J - centre) / self._spread(grounding))
        # What is to be expected of the subject itself, given a measure that goes with it so far: regression calibration
        # (Carroll et al. 2006, "Measurement error in nonlinear models"). An attribute is what it measures.
        return deviation_N_J * (grounding.trust if grounding.concept else 1.0)

    def _spread(self, grounding: Grounding) -> float:
        """The standard deviation over the pool: of its texts, or of options from the mean of their case.

        Or where that is less, what it would be of normal deviations with the same median of those that are not 0: of
        numbers a few are so large that beside their standard deviation all the others would be nothing.
        """
        if grounding not in self._spreads:
            raw_N_J = self._measure(grounding, self._pool_N)
            of_texts = raw_N_J.shape[1] == 1
            apart_N_J = raw_N_J - (self._usual(grounding) if of_texts else raw_N_J.mean(axis=1, keepdims=True))
            some = np.abs(apart_N_J[np.abs(apart_N_J) > 1e-9])
            typical = NORMAL * float(np.median(some)) if len(some) else 0.0
            self._spreads[grounding] = min(float(apart_N_J.std()), typical)
        return self._spreads[grounding]

    def _usual(self, grounding: Grounding) -> float:
        """The median over the texts of the pool; what most have all of is more than the others have."""
        if grounding not in self._usually:
            raw_N_J = self._measure(grounding, self._pool_N)
            usual = float(np.median(raw_N_J))
            if raw_N_J.max() <= usual and (raw_N_J < usual).any():
                usual = float(raw_N_J[raw_N_J < usual].max())
            self._usually[grounding] = usual
        return self._usually[grounding]

    def _rows(self, cases: Sequence[Case]) -> Rows:
        """row_N: the number of each case among all that were ever measured here."""
        return np.array([self._row_of.setdefault(case, len(self._row_of)) for case in cases], dtype=np.int64)

    def _measure(self, grounding: Grounding, row_N: Rows) -> Array:
        """raw_N_J: one number, or one an option, for each case; measured once."""
        column = self._columns.setdefault(grounding, _Column())
        missing_M = column.missing(row_N)
        if len(missing_M):
            known = list(self._row_of)
            cases = [known[row] for row in missing_M]
            if grounding.concept:
                raw_M_J = self._speaking_of(grounding.measure, cases)
            else:
                measured = self._attribute(grounding.measure)
                raw_M_J = np.stack([np.asarray(measured(case), dtype=np.float64) for case in cases])
            column.fill(missing_M, raw_M_J)
        return column.raw_R_J[row_N]

    def _attribute(self, name: str) -> Attribute:
        """The measure of that name: of the task, of the bank, or a word's."""
        if name not in self._attributes:
            found = find(name)
            if found is None:
                raise ValueError(f"no attribute {name!r}")
            self._attributes[name] = partial(measure, found, options_vary=self.task.options_vary)
        return self._attributes[name]

    def words(self, cases: Sequence[Case], least: int, most: int | None = None) -> list[Grounding]:
        """The words that tell the given cases apart: in at least ``least`` of them, and not in nearly all.

        With ``most``, so many of the commonest that carry a meaning of their own.
        """
        said = Counter(word for case in cases for word in self._vocabulary(case))
        common = sorted(word for word, n in said.items() if least <= n <= len(cases) - least)
        if most is not None:
            common = sorted(filter(tells, common), key=lambda word: (-said[word], word))[:most]
        return [self._of_words(word) for word in common]

    def families(self, cases: Sequence[Case], least: int, most: int | None = None) -> list[Grounding]:
        """Families of words that mean alike (:mod:`kindred`) and tell the given cases apart, like :meth:`words`.

        Those that an attribute has a better name for are left out.
        """
        said_N = [self._vocabulary(case) for case in cases]
        having = {family: sum(not said.isdisjoint(family) for said in said_N) for family in self._families}
        common = [family for family, n in having.items() if least <= n <= len(cases) - least]
        common = sorted(common, key=lambda family: (-having[family], family))
        return list(islice((g for g in starmap(self._of_words, common) if not self._has_name(g)), most))

    def _has_name(self, family: Grounding) -> bool:
        """Whether an attribute says much the same of the pool."""
        if family not in self._named:
            (effect_P_K,) = self._pool_effects([family])
            self._named[family] = any(abs(correlation(effect_P_K, one)) > ALIKE for one in self._attribute_effects)
        return self._named[family]

    @cached_property
    def _attribute_effects(self) -> Array:
        """effects_A_P_K of every attribute on the pool."""
        return self._pool_effects(self.attributes())

    def _pool_effects(self, groundings: Sequence[Grounding]) -> Array:
        """effects_S_P_K on the pool, centred over its cases."""
        effects_P_K_S = self.effects(groundings, self.task.split(Split.POOL))
        return np.moveaxis(effects_P_K_S - effects_P_K_S.mean(axis=0), 2, 0)

    @cached_property
    def _families(self) -> list[tuple[str, ...]]:
        """Those of the pool's words."""
        said = (word for case in self.task.split(Split.POOL) for word in self._vocabulary(case))
        return families(list(filter(tells, said)), self._embed)

    def _of_words(self, *words: str) -> Grounding:
        return Grounding(keyword(*words).name, False, self.task.n_options - 1, 1.0)

    def _vocabulary(self, case: Case) -> set[str]:
        """Words of the text, or words that the options don't share."""
        if not self.task.options_vary:
            return set(words_of(case.text))
        said = [set(words_of(option)) for option in case.options]
        return set().union(*said) - said[0].intersection(*said[1:])

    def _speaking_of(self, subject: str, cases: Sequence[Case]) -> Array:
        """amount_N_J of a subject that no attribute measures."""
        concept = self._concept(subject)
        if concept is None or concept.weight_D is None:
            return self._nearness(subject, cases)
        amount_N_J: Array = (self._embed(self._texts(cases)) @ concept.weight_D).reshape(len(cases), -1)
        return amount_N_J

    def _concept(self, subject: str) -> Concept | None:
        """What the strong model's annotations make of a subject; asked for once."""
        if subject not in self._concepts:
            pool = self.task.split(Split.POOL)
            # Each text once: what repeats would be learned from and tested on.
            near = dict(zip(self._texts(pool), self._nearness(subject, pool).ravel(), strict=True))
            texts, near_N = list(near), np.array(list(near.values()))
            annotation = self._annotate(subject, texts, near_N)
            self._concepts[subject] = None
            if annotation is not None:
                index_N = annotation.index_N
                vectors_N_D = self._embed([texts[n] for n in index_N])
                self._concepts[subject] = learned(annotation, vectors_N_D, near_N[index_N])
        return self._concepts[subject]

    def _nearness(self, subject: str, cases: Sequence[Case]) -> Array:
        """nearness_N_J of the cases to a subject: of their words, or where none in the pool is near, of the texts."""
        if subject not in self._told_by_words:
            pool = self._texts(self.task.split(Split.POOL))
            self._told_by_words[subject] = bool(self._near.words(subject, pool).any())
        measured = self._near.words if self._told_by_words[subject] else self._near.texts
        return measured(subject, self._texts(cases)).reshape(len(cases), -1)

    def _texts(self, cases: Sequence[Case]) -> list[str]:
        """What is measured: the options of all cases where they vary, else the texts."""
        vary = self.task.options_vary
        return [option for case in cases for option in case.options] if vary else [case.text for case in cases]
