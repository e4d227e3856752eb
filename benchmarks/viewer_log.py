"""Open and search a log of 100,000 events as the viewer does. Run: python benchmarks/viewer_log.py"""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path

from askew.agent.web.store import Store

EVENTS = 100_000


def line(n: int) -> str:
    case = {"id": f"c{n}", "text": f"a review number {n}, with praise and some length to it", "options": ["no", "yes"]}
    steps = [{"subject": "praise", "claim": "it matters", "favours": 1}]
    kinds = [
        ("chain", {"case": case["id"], "text": f" praise: it matters in {n} -> yes", "steps": steps, "malformed": None,
                   "weak_label": 1, "true_label": 0, "model_version": "m"}),
        ("experiment", {"id": f"E{n}", "set": None, "case": case, "source": "pool", "eig": 0.1, "epig": 0.01,
                        "reliability": 0.7, "predicted_weak": [0.5, 0.5], "predicted_truth": [0.5, 0.5]}),
        ("answer", {"experiment": f"E{n - 1}", "case": f"c{n - 1}", "weak": 1, "labels_used": n}),
    ]  # fmt: skip
    kind, data = kinds[n % 3]
    return json.dumps({"v": 1, "n": n, "round": 1, "kind": kind, "data": data})


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "config.json").write_text("{}")
        (root / "events.jsonl").write_text("".join(line(n) + "\n" for n in range(EVENTS)))
        start = time.perf_counter()
        run = Store(root).run("run")
        opened = time.perf_counter() - start
        assert run is not None
        start = time.perf_counter()
        hits = run.search("number 99997")
        searched = time.perf_counter() - start
        print(
            json.dumps(
                {"events": run.lines, "open_s": round(opened, 2), "search_s": round(searched, 3), "hits": len(hits)}
            )
        )


if __name__ == "__main__":
    main()
