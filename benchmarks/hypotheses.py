"""Seconds to cluster 5,000 steps, to ground 200 hypotheses on 2,000 cases, and to weigh 16 sets on 200 answers.

The model's annotations that a probe learns from are drawn here: what is timed is learning from them and measuring.

Run: python benchmarks/hypotheses.py (embeds afresh; the encoder is loaded before). Goals, on two cores: 10 s to
cluster, 20 s to ground.
"""

import itertools
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from askew.agent.annotate import TEXTS, Annotation, worth_annotating
from askew.agent.answering import Evidence
from askew.agent.cluster import claims_of, cluster_subjects
from askew.agent.ground import Grounder
from askew.agent.hypotheses import Grounding
from askew.agent.hypothesise import Chain, Step
from askew.agent.joint import weigh
from askew.agent.models.embedder import Embedder
from askew.agent.models.pull import model_folder
from askew.agent.sets import enumerated, make_set
from askew.tasks.case import Split
from askew.tasks.load import load_task

STEPS, HYPOTHESES, CASES, ANSWERS, SETS = 5000, 200, 2000, 200, 16


def timed(name: str, work: Callable[[], Any]) -> Any:
    wall, cpu = time.perf_counter(), time.process_time()
    done = work()
    print(f"{name:<52} {time.perf_counter() - wall:7.2f} s wall {time.process_time() - cpu:7.2f} s CPU", flush=True)
    return done


def chains(words: Sequence[str], rng: np.random.Generator) -> list[tuple[int, Chain]]:
    """Chains of two steps on subjects of one to three words: as many different ones as a poor reasoner names."""
    made = []
    for n in range(STEPS // 2):
        steps = tuple(
            Step(" ".join(rng.choice(words, size=int(rng.integers(1, 4)))), "it is there", int(rng.integers(2)))
            for _ in range(2)
        )
        chain = Chain(
            f"case-{n // 8}", f"chain {n}", steps, int(rng.integers(2)), int(rng.integers(2)), None, "", "", ""
        )
        made.append((n, chain))
    return made


def main() -> None:
    rng = np.random.default_rng(0)
    loaded = load_task("movie-reviews", 0)
    task = loaded.task
    words = sorted(
        {word for case in task.cases for word in case.text.lower().split() if word.isalpha() and len(word) > 3}
    )
    with tempfile.TemporaryDirectory() as folder:
        embed = Embedder(model_folder("minilm"), Path(folder) / "minilm.sqlite").embed
        timed("load the encoder, and torch and transformers with it", lambda: embed(["a text"]))
        claims = claims_of(chains(words[:1500], rng))
        clusters = timed(f"cluster {len(claims)} steps", lambda: cluster_subjects(claims, embed))
        grounder = Grounder(task, embed)
        cases = list(itertools.islice(itertools.cycle(task.cases), CASES))
        known = grounder.attributes()
        measured = [*known, *grounder.words(cases[:400], 4)][:HYPOTHESES]
        timed(  # by one that has measured nothing yet, its pool included
            f"ground {len(measured)} hypotheses by attribute on {CASES} cases",
            lambda: Grounder(task, embed).effects(measured, cases),
        )
        concepts = [Grounding(cluster.subject, True, 1, 0.5) for cluster in clusters[:HYPOTHESES]]
        timed(
            f"ground {len(concepts)} hypotheses by meaning on {CASES} cases", lambda: grounder.effects(concepts, cases)
        )

        def annotate(subject: str, texts: Sequence[str], near_N: NDArray[np.float64]) -> Annotation:
            index_N = worth_annotating(near_N, TEXTS)
            vectors_N_D = embed([texts[n] for n in index_N])
            amount_N = vectors_N_D @ rng.normal(size=vectors_N_D.shape[1])
            noise_N_2 = 0.3 * rng.normal(size=(len(index_N), 2))
            return Annotation(index_N, np.stack([amount_N, -amount_N], axis=1) + noise_N_2)

        annotated = Grounder(task, embed, annotate)
        timed(
            f"ground {len(concepts)} hypotheses by a probe on {CASES} cases", lambda: annotated.effects(concepts, cases)
        )
        sets = [
            make_set(proposal, number, task) for number, proposal in enumerate(enumerated(grounder)[:SETS], start=1)
        ]
        asked = list(task.split(Split.POOL)[:ANSWERS])
        effects = grounder.effects([one.grounding for one in sets], asked)
        presence = grounder.presence([one.grounding for one in sets], asked)
        weak = rng.integers(2, size=ANSWERS)
        evidence = Evidence(np.full((ANSWERS, 2), 0.5), effects, effects, presence, weak, np.arange(ANSWERS))
        timed(f"weigh {len(sets)} sets on {ANSWERS} answers", lambda: weigh(sets, evidence, rng, biased=True))


if __name__ == "__main__":
    main()
