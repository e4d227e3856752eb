"""``askew doctor``: what a run needs, whether it is here, and how to mend what isn't."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import shutil
import sys
from dataclasses import asdict, dataclass

import typer

from askew.agent.cli.display import show_table

LEAST_FREE_GB = 2
LEAST_MEMORY_GB = 4


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: ``state`` is ok, warn or fail."""

    what: str
    state: str
    found: str
    mend: str = ""


def doctor_command(as_json: bool) -> int:
    """Print the findings; 1 when something that a run needs is missing."""
    findings = [*_python(), *_libraries(), *_machine(), *_cache(), *_optional()]
    if as_json:
        typer.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        show_table("", ["", "what", "found", "mend"], [[f.state, f.what, f.found, f.mend] for f in findings])
    return int(any(finding.state == "fail" for finding in findings))


def _python() -> list[Finding]:
    good = sys.version_info >= (3, 11)
    return [Finding("Python", "ok" if good else "fail", sys.version.split()[0], "" if good else "use 3.11 or newer")]


def _libraries() -> list[Finding]:
    findings = []
    for name in ("torch", "transformers", "scikit-learn", "llguidance"):
        try:
            findings.append(Finding(name, "ok", importlib.metadata.version(name)))
        except importlib.metadata.PackageNotFoundError:
            findings.append(Finding(name, "fail", "not installed", "make setup"))
    return findings


def _machine() -> list[Finding]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    enough = memory >= LEAST_MEMORY_GB
    return [
        Finding("cores", "ok", str(os.cpu_count())),
        Finding("memory", "ok" if enough else "warn", f"{memory:.0f} GB", "" if enough else "expect swapping"),
        Finding("accelerator", "ok", _accelerator()),
    ]


def _accelerator() -> str:
    try:
        import torch
    except ImportError:
        return "unknown"
    return torch.cuda.get_device_name(0) if torch.cuda.is_available() else "none: everything runs on the CPU"


def _cache() -> list[Finding]:
    from askew.agent.models.pull import MODELS
    from askew.agent.models.pull import is_pulled as model_is_pulled
    from askew.packages import cache_folder
    from askew.tasks.data import DATA
    from askew.tasks.data import is_pulled as data_is_pulled

    folder = cache_folder()
    place = next(p for p in (folder, *folder.parents) if p.exists())
    free = shutil.disk_usage(place).free / 1e9
    writable = os.access(place, os.W_OK)
    findings = [
        Finding("cache folder", "ok" if writable else "fail", str(folder), "" if writable else "set ASKEW_HOME"),
        Finding("free disk", "ok" if free >= LEAST_FREE_GB else "warn", f"{free:.0f} GB"),
    ]
    things = [("models", name, model_is_pulled(name)) for name in MODELS]
    things += [("data", name, data_is_pulled(name)) for name in DATA]
    for kind, name, here in things:
        state, found = ("ok", "pulled") if here else ("warn", "not pulled")
        findings.append(Finding(f"{kind} {name}", state, found, "" if here else f"askew {kind} pull {name}"))
    return findings


def _optional() -> list[Finding]:
    has_pip = importlib.util.find_spec("pip") is not None
    pip = Finding("pip", "ok", "installed") if has_pip else Finding(
        "pip", "warn", "not installed", "python -m ensurepip: models and data are fetched by it"
    )  # fmt: skip
    stockfish = Finding("stockfish", "ok", shutil.which("stockfish") or "not installed (optional)")
    return [pip, _vllm(), stockfish]


def _vllm() -> Finding:
    from askew.agent.config import Serving
    from askew.agent.models.engine import find_engine
    from askew.errors import InputError

    try:
        engine = find_engine(Serving())
    except InputError:
        return Finding("vllm", "ok", "not installed (optional)", "make setup-vllm, or --vllm-python PYTHON")
    build = "CPU build" if engine.on_cpu else "GPU build"
    return Finding("vllm", "ok", f"{engine.version} ({build}), by {engine.python}")
