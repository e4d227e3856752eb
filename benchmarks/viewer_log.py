"""Open, page through and search a log of 100,000 events as the viewer does. Run: python benchmarks/viewer_log.py

Seconds on the wall and of the processor: on a busy machine the second tells what a quiet one would take.
"""

from __future__ import annotations

import json
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from starlette.testclient import TestClient

from askew.agent.web.app import build_app

EVENTS = 100_000
PAGES = ("", "experiments", "experiments?page=300", "chains", "chains?page=300", "set/S1", "events?page=900",
         "search?q=number+99997", "search?q=praise", "case?id=c9999", "round/1")  # fmt: skip


def line(n: int) -> str:
    """A log of about the sizes that real runs have: chains of three steps, experiments about a set of two."""
    case = {"id": f"c{n // 3}", "text": f"a review number {n}, with praise and some length to it, " * 2,
            "options": ["no", "yes"]}  # fmt: skip
    steps = [{"subject": f"praise {n % 7}", "claim": "it matters here and there", "favours": n % 2}] * 3
    kinds = [
        ("chain", {"case": case["id"], "prompt": "chain", "prompt_sha": "0" * 16, "model_version": "m@0",
                   "steps": steps, "malformed": None,
                   "text": f" praise: it matters in {n} -> yes\nlength: it is short -> no\nRater: yes\nTruth: no",
                   "weak_label": 1, "true_label": 0}),
        ("experiment", {"id": f"E{n}", "set": "S1", "case": case, "source": "pool", "eig": 0.1, "epig": 0.01,
                        "reliability": 0.7, "predicts": {"S1.1": [0.1, 0.9], "S1.2": [0.4, 0.6], "h0": [0.5, 0.5]},
                        "predicted_weak": [0.5, 0.5], "predicted_truth": [0.5, 0.5]}),
        ("answer", {"experiment": f"E{n - 1}", "case": f"c{n // 3}", "weak": 1, "labels_used": n}),
    ]  # fmt: skip
    kind, data = kinds[n % 3]
    if n == 3:
        kind, data = "round-started", {"round": 1}
    if n in {6, 9}:
        kind = "hypothesis-born"
        data = {"set": "S1", "id": f"S1.{n // 3 - 1}", "subject": "praise", "statement": "leans to praise",
                "prior": 0.3, "kind": "liked", "why": "torn", "grounder": "praise"}  # fmt: skip
    return json.dumps({"v": 1, "n": n, "round": 1 + n // 20_000, "kind": kind, "data": data})


def timed(act: Callable[[], object]) -> dict[str, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    act()
    return {"wall_s": round(time.perf_counter() - wall, 3), "cpu_s": round(time.process_time() - cpu, 3)}


def megabytes() -> float:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "config.json").write_text("{}")
        with (root / "events.jsonl").open("w") as file:
            file.writelines(line(n) + "\n" for n in range(EVENTS))
        client = TestClient(build_app(root, "token", {"testserver"}))
        client.get("/?token=token")
        before = megabytes()

        def page(name: str) -> None:
            assert client.get(f"/run/run/{name}").status_code == 200, name

        found = {"events": EVENTS, "log_mb": round((root / "events.jsonl").stat().st_size / 1e6, 1)}
        opened = timed(lambda: page(""))
        again = {name or "run": timed(lambda name=name: page(name)) for name in PAGES}  # type: ignore[misc]
        print(
            json.dumps({**found, "open": opened, "pages": again, "memory_mb": round(megabytes() - before, 1)}, indent=2)
        )


if __name__ == "__main__":
    main()
