"""Traces for the warm-up: well-formed, grounded by construction, repeatable, and silent about what is true."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from conftest import ScriptedModel
from llguidance import LLMatcher, LLTokenizer

from askew.agent.config import Settings
from askew.agent.hypothesise import LONGEST_CLAIM, chain_grammar, read_chain
from askew.agent.models.base import Completion, SamplingRequest
from askew.agent.reasoner import adapter_of
from askew.agent.warmup.traces import (
    LEAD,
    MOST_SUBJECTS,
    Made,
    Places,
    carriers,
    make_briefs,
    make_glossary,
    make_traces,
    subjects,
)
from askew.agent.warmup.train import measure
from askew.errors import InputError

TRACES = make_traces(400, np.random.default_rng(0))
WHOLE = [trace for trace in TRACES if "Truth: " in trace.text]


def options_of(prompt: str) -> list[str]:
    return re.findall(r"^Choices: (.+)$", prompt, re.MULTILINE)[0].split(", ")


def test_every_trace_is_a_chain_that_names_what_is_there_and_nothing_else() -> None:
    for trace in TRACES:
        chain = read_chain(Completion(trace.text, 1, True, ""), "", options_of(trace.prompt), "", "")
        assert (chain.malformed is None) == (trace in WHOLE)
        assert {step.subject for step in chain.steps} == trace.subjects
        assert all(len(step.claim) <= LONGEST_CLAIM for step in chain.steps)


def test_the_grammar_of_chains_admits_every_trace() -> None:
    for trace in WHOLE:
        grammar = LLMatcher.grammar_from_lark(chain_grammar(options_of(trace.prompt)))
        matcher = LLMatcher(LLTokenizer("byte"), grammar)
        assert matcher.validate_tokens(list(trace.text.encode())) == len(trace.text), trace.text


def test_names_that_differ_in_quotes_or_backslashes_alone_are_told_apart() -> None:
    names = ('say "yes"', "say yes", "say\\yes")
    grammar = LLMatcher.grammar_from_lark(chain_grammar(names))
    for index, name in enumerate(names):
        text = f" work: it is about work -> {name}\nRater: {name}\nTruth: {name}"
        matcher = LLMatcher(LLTokenizer("byte"), grammar)
        assert matcher.validate_tokens(list(text.encode())) == len(text)
        chain = read_chain(Completion(text, 1, True, ""), "", names, "", "")
        assert chain.malformed is None and (chain.weak_label, chain.true_label) == (index, index)


def test_verdicts_are_drawn_at_random() -> None:
    firsts = [trace.truth == options_of(trace.prompt)[0] for trace in TRACES]
    assert 0.4 < np.mean(firsts) < 0.6


def test_options_that_were_drawn_are_learned_in_few_traces() -> None:
    assert all(trace.given == () for trace in WHOLE) and 20 < len(WHOLE) < 100
    for trace in TRACES:
        drawn = [trace.text[start:stop] for start, stop in trace.given]
        assert trace in WHOLE or len(drawn) == trace.text.count(" -> ")
        assert set(drawn) <= set(options_of(trace.prompt))


def test_many_subjects_beyond_the_attribute_bank() -> None:
    names = [subject.name for subject in subjects()]
    assert len(names) == len(set(names)) > 100
    assert len({name for trace in TRACES for name in trace.subjects}) > 90


def test_the_same_seed_gives_the_same_traces_and_the_test_has_its_own_sentences() -> None:
    assert make_traces(400, np.random.default_rng(0)) == TRACES
    test = make_traces(50, np.random.default_rng(0), Made.OTHER_CASES)
    assert not any("onlooker" in trace.prompt or "out of reach" in trace.prompt for trace in TRACES)
    assert not any(
        "sailor" in trace.prompt.lower() for trace in make_traces(50, np.random.default_rng(0), Made.OTHER_WORDS)
    )
    assert any("onlooker" in trace.prompt or "out of reach" in trace.prompt for trace in test)


@pytest.mark.parametrize("which", ["learned", "held_out"])
def test_a_plain_sentence_has_nothing_in_it_that_could_be_named(which: str) -> None:
    for part, phrases in carriers()[which].items():
        for phrase in phrases:
            there = [subject.name for subject in subjects() if subject.value(phrase)]
            assert not there, f"{part}: {phrase!r} has {there}"


def briefs_of(passages: list[tuple[str, Places]]) -> list[tuple[str, list[str]]]:
    """What each brief shows, and the subjects that it names."""
    briefs = []
    for text, given in passages:
        ends = [start for start, _ in given[1:]] + [len(text)]
        for (start, stop), end in zip(given, ends, strict=True):
            assert all(line.startswith("- ") for line in text[stop:end].splitlines())
            briefs.append((text[start:stop], [line.removeprefix("- ") for line in text[stop:end].splitlines()]))
    return briefs


def test_briefs_name_what_is_in_them_and_only_the_names_are_learned() -> None:
    value = {subject.name: subject.value for subject in subjects()}
    made = make_briefs(300, np.random.default_rng(0))
    briefs = briefs_of(made)
    assert len(briefs) == 300 and made == make_briefs(300, np.random.default_rng(0))
    for shown, names in briefs:
        texts = [text.removesuffix('"\n') for text in re.split(r'^(?:Text|A|B): "', shown, flags=re.MULTILINE)[1:]]
        assert 0 < len(set(names)) <= MOST_SUBJECTS
        assert all(max(value[name](text) for text in texts) > 0 for name in names)
    pairs = [shown for shown, _ in briefs if shown.startswith('A: "')]
    assert 80 < len(pairs) < 160 and all('\nB: "' in shown for shown in pairs)
    assert not any("onlooker" in shown.lower() or "sailor" in shown.lower() for shown, _ in briefs)
    assert sum(len(set(names)) == MOST_SUBJECTS for _, names in briefs) > 100


def test_the_glossary_has_every_phrase_that_is_learned_and_none_of_the_test() -> None:
    value = {subject.name: subject.value for subject in subjects()}
    phrases = {phrase.lower() for subject in subjects() for phrase in subject.phrases}
    shown: list[str] = []
    for line, names in briefs_of(make_glossary(np.random.default_rng(0))):
        said = line.removeprefix('Text: "').removesuffix('"\n')
        assert names and all(value[name](said) > 0 for name in names)
        entries = said.removesuffix(".").split(". ")
        shown += [one.lower() if one.lower() in phrases else one.removeprefix(f"{LEAD} ") for one in entries]
    assert len(shown) == len(set(shown)) and set(shown) <= phrases
    assert "sailor" in shown and "deck" not in shown and len(shown) > 0.7 * len(phrases)


class Oracle(ScriptedModel):
    """Continues every trace as it goes on."""

    def _one(self, prompt: str, index: int, request: SamplingRequest) -> Completion:
        text = next(trace.text for trace in TRACES if trace.prompt == prompt)
        return Completion(text, 1, True, self.version)


def test_a_perfect_reasoner_scores_one_and_a_careless_one_does_not() -> None:
    perfect = measure(Oracle(), WHOLE[:40], Made.TO_LEARN, 0.0)
    assert (perfect.precision, perfect.recall, perfect.truth_agreement) == (1.0, 1.0, 1.0)
    careless = measure(ScriptedModel(), WHOLE[:40], Made.TO_LEARN, 0.0)
    assert careless.recall < 0.2


def test_which_reasoner_a_run_uses(tmp_path: Path) -> None:
    assert adapter_of(Settings(reasoner="prompts")) is None
    with pytest.raises(InputError, match="askew warmup"):
        adapter_of(Settings(reasoner=str(tmp_path)))
