"""What is shipped is what is here: every module and data file, under one name, also by way of the sdist."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("agent", "evals", "prompts", "tasks")

pytestmark = pytest.mark.skipif(not (ROOT / "pyproject.toml").is_file(), reason="needs the source tree")


def expected() -> set[str]:
    files = [path for package in PACKAGES for path in (ROOT / package).rglob("*")]
    files += [path for path in (ROOT / "src" / "askew").glob("*") if not path.is_dir()]
    kept = [path.relative_to(ROOT) for path in files if path.is_file() and "__pycache__" not in path.parts]
    return {str(path).replace("src/askew", "askew") if path.parts[0] == "src" else f"askew/{path}" for path in kept}


def build(kind: str, source: Path, into: Path) -> Path:
    command = [sys.executable, "-m", "hatchling", "build", "--target", kind, "--directory", str(into)]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    (built,) = into.iterdir()
    return built


def shipped(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


def test_the_wheel_holds_everything_and_nothing_else(tmp_path: Path) -> None:
    assert shipped(build("wheel", ROOT, tmp_path / "wheel")) == expected()


def test_so_does_a_wheel_made_from_the_sdist(tmp_path: Path) -> None:
    with tarfile.open(build("sdist", ROOT, tmp_path / "sdist")) as archive:
        archive.extractall(tmp_path / "unpacked", filter="data")
    (source,) = (tmp_path / "unpacked").iterdir()
    wheel = build("wheel", source, tmp_path / "wheel")
    assert shipped(wheel) == expected()
    # Unpacked as an installer does, and imported with nothing of the checkout on the path.
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "installed")
    installed, checkout = str(tmp_path / "installed"), str(ROOT / "src")
    check = (
        f"import sys; sys.path = [{installed!r}] + [place for place in sys.path if place != {checkout!r}]; "
        "import askew.agent.loop, askew.evals.methods; print(askew.__file__)"
    )
    done = subprocess.run([sys.executable, "-c", check], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert installed in done.stdout
