"""Where the rows of a public data set come from: Parquet files on the hub, or the same files in a folder of yours.

The hub keeps every public data set as Parquet on the branch ``refs/convert/parquet``, as CONFIG/SPLIT/0000.parquet and
so on, whatever format its authors use; that branch is what is read, so nothing of a data set is ever executed.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from askew.errors import InputError, RunError
from askew.tasks.readers import read_parquet

BRANCH = "refs/convert/parquet"
UNNAMED = "default"
MOST_ROWS = 50_000
"""Rows read of one split: the first so many. Later files of a long split are not fetched."""


def local_rows(name: str, place: Path, config: str | None, split: str) -> list[dict[str, Any]]:
    """The rows of one split from a folder of Parquet files, or from a single file, which then holds every split.

    Raises ``InputError`` when there is nothing to read.
    """
    if place.is_file():
        return _read([place])
    if not place.is_dir():
        raise InputError(f"hf:{name}: no file or folder {place}. Expected Parquet files, as in hf:{name}@FOLDER.")
    inside = {path.relative_to(place).as_posix(): path for path in place.rglob("*.parquet")}
    chosen = split_files(name, str(place), sorted(inside), config, split)
    return _read(inside[file] for file in chosen)


def hub_rows(name: str, repository: str, config: str | None, split: str) -> list[dict[str, Any]]:
    """The rows of one split from the hub (kept in the hub client's cache).

    Raises:
        InputError: there is no such data set, configuration or split.
        RunError: the hub can't be reached.
    """
    from huggingface_hub import HfApi, errors, hf_hub_download

    # The base of what the HTTP client raises that the hub's client is built on (another one from version to version).
    no_connection: type[Exception] = vars(errors)["HTTPError"]

    def fetched(file: str) -> Path:
        return Path(hf_hub_download(repository, file, repo_type="dataset", revision=BRANCH))

    mend = f"Get online, or fetch its Parquet files elsewhere and give their folder: hf:{name}@FOLDER."
    try:
        files = HfApi().list_repo_files(repository, repo_type="dataset", revision=BRANCH)
        chosen = split_files(name, repository, sorted(f for f in files if f.endswith(".parquet")), config, split)
        return _read(fetched(file) for file in chosen)
    except errors.HfHubHTTPError as error:
        status = error.response.status_code
        if status in {401, 403, 404}:
            raise InputError(
                f"hf:{name}: the hub has no data set {repository!r} as Parquet that you may read (status {status}). "
                f"Check the name (OWNER/NAME), log in if it is gated. {mend}"
            ) from None
        raise RunError(f"hf:{name}: the hub answered with status {status}. Try again. {mend}") from None
    except errors.HFValidationError as error:
        raise InputError(f"hf:{name}: {error} Expected hf:OWNER/NAME.") from None
    except (no_connection, errors.LocalEntryNotFoundError, ConnectionError) as error:
        raise RunError(f"hf:{name}: the hub can't be reached ({type(error).__name__}). {mend}") from None


def split_files(name: str, where: str, files: list[str], config: str | None, split: str) -> list[str]:
    """The files of one split of one configuration, in order; raises ``InputError`` where it isn't there.

    Understood are CONFIG/SPLIT/0000.parquet, CONFIG/SPLIT-00000-of-00001.parquet, and both without CONFIG, which is
    then taken for the one that is wanted.
    """
    chosen = [file for file in files if _split_of(file) == split]
    if not chosen:
        found = ", ".join(sorted({_split_of(file) for file in files})) or "no Parquet files"
        raise InputError(f"hf:{name}: no split {split!r} in {where}: it has {found}.")
    configs = {_config_of(file) for file in chosen}
    if config is None and len(configs) > 1:
        one_of = ", ".join(sorted(configs))
        raise InputError(f"hf:{name}: {where} has several configurations: give one, hf:{name}:CONFIG ({one_of}).")
    if config is None:
        return chosen
    kept = [file for file in chosen if _config_of(file) == (config if config in configs else UNNAMED)]
    if not kept:
        raise InputError(f"hf:{name}: no configuration {config!r} in {where}: it has {', '.join(sorted(configs))}.")
    return kept


def _split_of(file: str) -> str:
    """The split that a file belongs to: its folder's name where the file has only a number, else its own."""
    path = PurePosixPath(file)
    stem = path.stem.split("-")[0]
    return path.parent.name if stem.isdigit() else stem


def _config_of(file: str) -> str:
    """The first folder, unless that is the split's or one that names nothing."""
    folders = [folder for folder in PurePosixPath(file).parts[:-1] if folder not in {"data", _split_of(file)}]
    return folders[0] if folders else UNNAMED


def _read(paths: Iterator[Path] | list[Path]) -> list[dict[str, Any]]:
    """The first rows of the files, which are opened one after the other, and only as long as rows are wanted."""
    rows = (row for path in paths for _, row in read_parquet(path))
    return list(itertools.islice(rows, MOST_ROWS))
