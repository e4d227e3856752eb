"""Train the reasoner on traces, and measure how well its steps are grounded on cases it has not seen."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from askew.agent.hypothesise import MAX_TOKENS, chain_grammar, read_chain
from askew.agent.learners.examples import Passage
from askew.agent.learners.finetune import finetune_texts
from askew.agent.learners.recipe import Recipe
from askew.agent.models.base import LanguageModel, SamplingRequest
from askew.agent.warmup.traces import Made, Trace, make_briefs, make_glossary, make_traces
from askew.seeds import stream

TRACES, TEST_TRACES = 600, 100
"""With what goes with them, learned from in about eleven minutes on two cores with matrix units."""
BRIEFS = 3300 / TRACES
"""How many briefs go with each trace."""
GLOSSARY = 5 / TRACES
"""How often the glossary is read, for each trace."""
TEMPERATURES = (0.0, 0.7, 1.0)
QUALITY = "quality.json"
RECIPE = Recipe(learner="lora", r=16, learning_rate=2e-3, epochs=1, batch=2, warm_up=0.05)


@dataclass(frozen=True, slots=True)
class Quality:
    """How well steps are grounded: of the subjects named, how many are there; of those there, how many are named."""

    on: str
    """Cases with other sentences, or with other words for the subjects as well."""
    temperature: float
    precision: float
    recall: float
    malformed: float
    truth_agreement: float
    """How often the verdict on what is true is the one that was drawn: 0.5 where nothing leaked."""
    cases: int


def warm_up(base: Path, folder: Path, traces: int, seed: int = 0, recipe: Recipe = RECIPE) -> None:
    """Leave an adapter (safetensors) and its card in ``folder``. The same call gives the same adapter."""
    finetune_texts(base, passages(traces, seed), recipe.model_copy(update={"seed": seed}), name=base.name).save(folder)


def passages(traces: int, seed: int = 0) -> list[Passage]:
    """What is learned: ``traces`` of them, and the briefs and readings of the glossary that go with so many."""
    made = [Passage(t.text, t.prompt, given=t.given) for t in make_traces(traces, stream(seed, "warm-up", "traces"))]
    noticed = make_briefs(round(BRIEFS * traces), stream(seed, "warm-up", "briefs"))
    rng = stream(seed, "warm-up", "glossary")
    for _ in range(round(GLOSSARY * traces)):
        noticed += make_glossary(rng)
    return made + [Passage(text, given=given) for text, given in noticed]


def test_traces(made: Made = Made.OTHER_CASES, n: int = TEST_TRACES, seed: int = 0) -> list[Trace]:
    """Cases to measure on, with other sentences than those that are learned from."""
    return make_traces(n, stream(seed, "warm-up", made.value), made)


def measure(model: LanguageModel, traces: Sequence[Trace], made: Made, temperature: float, seed: int = 0) -> Quality:
    """One chain for each trace, compared with what is truly in its case."""
    named = there = right = malformed = agreed = 0
    for names in sorted({_names(trace) for trace in traces}):
        mine = [trace for trace in traces if _names(trace) == names]
        request = SamplingRequest(
            prompts=tuple(trace.prompt for trace in mine),
            max_tokens=MAX_TOKENS,
            temperature=temperature,
            top_p=0.95,
            grammar=chain_grammar(names),
            seed=seed,
        )
        for trace, (completion,) in zip(mine, model.sample(request), strict=True):
            chain = read_chain(completion, "", names, "", "")
            said = {step.subject for step in chain.steps}
            malformed += chain.malformed is not None
            named += len(said)
            there += len(trace.subjects)
            right += len(said & trace.subjects)
            agreed += chain.true_label is not None and names[chain.true_label] == trace.truth
    return Quality(
        on=made.value,
        temperature=temperature,
        cases=len(traces),
        precision=round(right / max(1, named), 4),
        recall=round(right / max(1, there), 4),
        malformed=round(malformed / len(traces), 4),
        truth_agreement=round(agreed / len(traces), 4),
    )


def _names(trace: Trace) -> tuple[str, ...]:
    """The options of a trace, as its prompt gives them."""
    choices = next(line for line in trace.prompt.splitlines() if line.startswith("Choices: "))
    return tuple(choices.removeprefix("Choices: ").split(", "))


def write_quality(folder: Path, quality: Sequence[Quality]) -> None:
    """Leave what was measured beside the adapter."""
    data = [asdict(one) for one in quality]
    (folder / QUALITY).write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
