"""Time and memory of 'make demo' as a newcomer meets it: a clean clone, an empty cache.

    python benchmarks/demo.py [--keep FOLDER]

Downloads and set-up are reported apart from the main job, whose goals are 10 minutes on 2 cores and 4 GB resident.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]


def step(name: str, command: list[str], folder: Path, home: Path) -> float:
    """Run a command and print its seconds and the largest resident set of any process so far."""
    environment = {**os.environ, "ASKEW_HOME": str(home)}
    start = time.monotonic()
    subprocess.run(command, cwd=folder, env=environment, check=True)
    seconds = time.monotonic() - start
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6
    print(f"{name:42s} {seconds:7.1f} s   largest process so far {peak:.2f} GB", flush=True)
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", type=Path, help="work here and leave everything behind")
    chosen = parser.parse_args().keep
    with tempfile.TemporaryDirectory() as temporary:
        folder = (chosen or Path(temporary)).absolute()
        clone, home = folder / "askew", folder / "home"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        step("make setup (from nothing)", ["make", "setup"], clone, home)
        askew = str(clone / ".venv" / "bin" / "askew")
        step("askew models pull, data pull", ["sh", "-c", f"{askew} models pull && {askew} data pull"], clone, home)
        seconds = step("make demo (after downloads)", ["make", "demo"], clone, home)
        step("make demo (again: features are cached)", ["make", "demo"], clone, home)
        step("askew --help", [askew, "--help"], clone, home)
        print(f"goal: 600 s and 4 GB; seen: {seconds:.0f} s")


if __name__ == "__main__":
    main()
