"""The passive-naive pipeline beside a plain PyTorch + transformers script that does the same work, in one run.

    python benchmarks/passive_naive.py [--pool 1500] [--test 1200] [--repeats 2] [--json FILE]

The work: read the task, load the two models, features of all pool, validation and test texts, train the weak
supervisor on its gold labels, let it label 200 pool cases, fit the student, predict and grade. Nothing is cached: each
repeat starts with empty feature stores. The goal: ours takes at most as long as the plain script.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from askew.agent.config import Settings
from askew.agent.models.pull import model_folder
from askew.agent.representation import case_texts
from askew.evals.grade import grade
from askew.evals.protocol import Workbench, load_cases, run_method, write_config
from askew.packages import cache_folder
from askew.tasks.case import Split


def plain(settings: Settings) -> float:
    """As one would write it in an afternoon: batches of 16 in the order of the data, padded to the longest."""
    from sklearn.linear_model import LogisticRegression
    from transformers import AutoModel, AutoModelForCausalLM, AutoTokenizer

    loaded = load_cases(settings)
    task, gold = loaded.task, loaded.gold
    pool, weak, test = (list(task.split(split)) for split in (Split.POOL, Split.WEAK, Split.TEST))
    cases = [*pool, *task.split(Split.VALIDATION), *test]

    def batches(texts: list[str], tokenizer: object) -> object:
        for start in range(0, len(texts), 16):
            yield tokenizer(texts[start : start + 16], return_tensors="pt", padding=True, truncation=True)

    folder = model_folder("smollm2-135m")
    tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="right")
    tokenizer.pad_token = tokenizer.eos_token
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16).eval()
    middle = round(model.config.num_hidden_layers * 2 / 3)
    parts = []
    with torch.inference_mode():
        for batch in batches([case_texts(task, case)[0] for case in cases], tokenizer):
            output = model.model(**batch, output_hidden_states=True)
            rows, last = torch.arange(len(batch["input_ids"])), batch["attention_mask"].sum(1) - 1
            both = [output.last_hidden_state[rows, last], output.hidden_states[middle][rows, last]]
            parts.append(torch.cat(both, dim=1).float().numpy())
    features = np.concatenate(parts)

    folder = model_folder("minilm")
    tokenizer, small = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    asked = [pool[i] for i in np.random.default_rng(settings.seed).permutation(len(pool))[: settings.budget]]
    parts = []
    with torch.inference_mode():
        for batch in batches([case.text for case in [*weak, *asked]], tokenizer):
            hidden, mask = small(**batch).last_hidden_state, batch["attention_mask"][..., None]
            parts.append(torch.nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1)).numpy())
    embedded = np.concatenate(parts)
    supervisor = LogisticRegression(max_iter=2000).fit(embedded[: len(weak)], [gold[case.id] for case in weak])
    labels = supervisor.predict(embedded[len(weak) :])

    features = (features - features[: len(pool)].mean(0)) / (features[: len(pool)].std(0) + 1e-6)
    place = {case.id: row for row, case in enumerate(cases)}
    student = LogisticRegression(C=1e-3, max_iter=500).fit(features[[place[case.id] for case in asked]], labels)
    right = student.predict(features[[place[case.id] for case in test]]) == [gold[case.id] for case in test]
    return float(np.mean(right))


def ours(settings: Settings) -> float:
    """The same through askew, as ``askew run --method passive-naive`` does it."""
    with tempfile.TemporaryDirectory() as temporary:
        home = Path(temporary)
        for part in ("models", "data"):
            (home / part).symlink_to(HOME / part)
        os.environ["ASKEW_HOME"] = str(home)
        try:
            folder = home / "run"
            write_config(settings, folder, ())
            run_method(settings, folder, Workbench(settings), lambda _: None)
            return grade(folder).accuracies()[-1][1]
        finally:
            os.environ["ASKEW_HOME"] = str(HOME)


HOME = cache_folder()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pool", type=int, default=1500)
    parser.add_argument("--test", type=int, default=1200)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    settings = Settings(method="passive-naive", pool_size=chosen.pool, test_size=chosen.test)
    rivals: dict[str, Callable[[Settings], float]] = {"plain": plain, "ours": ours}
    # What is imported and read from disk for the first time counts for neither.
    small = settings.model_copy(update={"pool_size": 20, "test_size": 20, "budget": 20})
    for run in rivals.values():
        run(small)
    seconds: dict[str, list[float]] = {name: [] for name in rivals}
    accuracy: dict[str, float] = {}
    for repeat in range(chosen.repeats):
        # Taking turns, so that what else the machine does hits both.
        for name in sorted(rivals, reverse=bool(repeat % 2)):
            start = time.perf_counter()
            accuracy[name] = rivals[name](settings)
            seconds[name].append(time.perf_counter() - start)
            print(f"{name:6s} {seconds[name][-1]:7.1f} s   accuracy {accuracy[name]:.3f}", flush=True)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    ratio = medians["ours"] / medians["plain"]
    print(f"ours / plain: {ratio:.2f} (goal: at most 1), {torch.get_num_threads()} thread(s)")
    if chosen.json:
        data = {"seconds": seconds, "accuracy": accuracy, "ratio": ratio, "threads": torch.get_num_threads(),
                "pool": chosen.pool, "test": chosen.test}  # fmt: skip
        chosen.json.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
