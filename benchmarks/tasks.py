"""Time and memory of the tasks: loading and rendering, generating chess, splitting and looking for near-duplicates.

    python benchmarks/tasks.py [--cases 100000]

Goals, on one core: 100,000 cases loaded and rendered in 10 s and 1 GB; 10 verified puzzles a second; splits and
near-duplicates of 20,000 cases in 30 s. Each part runs in a process of its own, so that its memory is its own.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path


def measured(part: Callable[..., str], *arguments: object) -> None:
    """Run a part in a fresh process; print seconds (of the clock and of the processor) and the largest memory."""
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=_timed, args=(part, *arguments))
    process.start()
    process.join()


def _timed(part: Callable[..., str], *arguments: object) -> None:
    clock, cpu = time.monotonic(), time.process_time()
    said = part(*arguments)
    clock, cpu = time.monotonic() - clock, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"{said:76s} {clock:7.1f} s  {cpu:7.1f} s CPU  {peak:.2f} GB", flush=True)


def write_cases(path: Path, n: int, *, vary: bool) -> None:
    """Reviews of some forty words; or the same as questions with two answers of their own."""
    with path.open("w", encoding="utf-8") as file:
        for index in range(n):
            words = " ".join(f"word{(index * 31 + place * place) % 9973}" for place in range(40))
            options = [f"{words[:60]} yes", f"{words[60:120]} no"] if vary else ["negative", "positive"]
            row = {"id": f"c{index}", "text": words, "options": options, "gold": index % 2, "weak": {"ann": 0}}
            file.write(json.dumps(row) + "\n")


def load_and_render(path: Path) -> str:
    from askew.agent.representation import case_texts
    from askew.tasks.load import load_task

    task = load_task(str(path), 0).task
    characters = sum(len(text) for case in task.cases for text in case_texts(task, case))
    return f"load and render {len(task.cases):,} {'pairs' if task.options_vary else 'cases'} ({characters:,} letters)"


def generate_chess(kind: str, n: int) -> str:
    from askew.tasks.chess.moves import generate

    start = time.process_time()
    generate({kind: n})
    return f"{n} puzzles, {kind}: {n / (time.process_time() - start):.1f} a second"


def divide_and_compare(path: Path) -> str:
    from askew.evals.protocol import embedder
    from askew.evals.task_check import check_task
    from askew.tasks.load import load_task

    loaded = load_task(str(path), 0)
    findings = check_task(loaded, lambda text: len(text.split()), 2048, embedder().embed)
    return f"splits and the whole check of {len(loaded.task.cases):,} cases ({len(findings)} lines)"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=100_000)
    n = parser.parse_args().cases
    with tempfile.TemporaryDirectory() as folder:
        for vary in (False, True):
            path = Path(folder, f"cases-{vary}.jsonl")
            write_cases(path, n, vary=vary)
            measured(load_and_render, path)
        write_cases(path, n // 5, vary=False)
        measured(divide_and_compare, path)
    for kind, wanted in (("hanging piece", 200), ("mate in 1", 100), ("mate in 2", 20), ("fork", 10)):
        measured(generate_chess, kind, wanted)


if __name__ == "__main__":
    main()
