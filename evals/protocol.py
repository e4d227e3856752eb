"""The weak-to-strong protocol: open the gold, build the supervisor, run a method, grade what it predicted."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from pydantic import ValidationError
from safetensors import SafetensorError

import askew
from askew.agent.config import CONFIG, Settings
from askew.agent.journal import EVENTS, Journal, read_events
from askew.agent.lab import Lab
from askew.agent.learners.networks import is_causal
from askew.agent.learners.student import check_learner
from askew.agent.models.base import LanguageModel
from askew.agent.models.embedder import Embedder
from askew.agent.models.pull import model_folder
from askew.agent.models.vectors import VectorCache
from askew.agent.reasoner import WARMED, adapter_of, load_warmed, warmed_weights
from askew.agent.representation import Representation
from askew.agent.supervisors.base import Supervisor
from askew.agent.supervisors.desk import Desk
from askew.agent.supervisors.human import HumanSupervisor
from askew.agent.supervisors.model import Features
from askew.errors import InputError, RunError
from askew.evals.methods import METHODS
from askew.evals.methods.registry import check_method
from askew.evals.supervisors import build_supervisor
from askew.evals.trap import TRAP, set_trap
from askew.packages import cache_folder
from askew.tasks.case import Split
from askew.tasks.gold import LoadedTask
from askew.tasks.load import TASKS, load_task
from askew.tasks.splits import fingerprint

TWINS = "twins"
STUDENT = "student"
"""Where a run keeps what its student learned."""
VLLM = "vllm"
"""Where a server of a run's own writes its log."""
SMALLEST_FREE_SPACE = 50_000_000

Say = Callable[[str], None]
"""Where progress goes."""
Load = Callable[[str, int, int], LoadedTask]
"""Loads a task, as :func:`askew.tasks.load.load_task` does; what loads many runs' tasks keeps those it has."""


@dataclass
class Workbench:
    """The heavy things that all methods of one experiment share, each made when it is first needed."""

    settings: Settings
    logs: Path = Path("runs") / VLLM
    """Where a server of ours writes its log."""
    loaded: LoadedTask = field(init=False)

    def __post_init__(self) -> None:
        self.loaded = load_cases(self.settings)
        if (self.settings.opinion or ("cue" if self.settings.task in TASKS else "all")) == "cue":
            self.loaded = replace(self.loaded, task=replace(self.loaded.task, patterns=()))
        check_task(self.loaded, self.settings.budget)
        check_learner(self.settings, self.loaded.task)
        kind, _, inner = self.settings.supervisor.partition(":")
        if kind == TRAP:
            settings = self.settings.model_copy(update={"supervisor": inner})
            self.loaded, self.supervisor = set_trap(
                self.loaded, build_supervisor(settings, self.loaded, self.features_of)
            )

    @cached_property
    def model(self) -> LanguageModel:
        """The strong student."""
        return self.served

    @cached_property
    def served(self) -> LanguageModel:
        """The strong student as its backend has it; in a bench :attr:`model` remembers what this one samples."""
        return load_model(self.settings, self.logs)

    @cached_property
    def warmed(self) -> LanguageModel | None:
        """The student taught to ground its steps, if this run uses one."""
        adapter, name = adapter_of(self.settings), self.settings.student
        if adapter is None:
            return None
        base = model_folder(name)
        if self.settings.backend == "local":
            return load_warmed(base, adapter, name)
        from askew.agent.models.vllm import VllmModel, served_reasoner

        student = self.served
        assert isinstance(student, VllmModel)
        return served_reasoner(
            student, f"{name}{WARMED}", warmed_weights(base, adapter, name), adapter, self.logs / "reasoner"
        )  # fmt: skip

    @cached_property
    def embedder(self) -> Embedder:
        """Sentence embeddings, for clustering and grounding."""
        return embedder()

    @cached_property
    def representation(self) -> Representation:
        """The student's eyes."""
        return Representation(self.loaded.task, self.model, cache_folder() / "features")

    @cached_property
    def supervisor(self) -> Supervisor:
        """The weak supervisor."""
        return build_supervisor(self.settings, self.loaded, self.features_of)

    def features_of(self, name: str) -> Features:
        """Features by a model's name."""
        if name in {"minilm", ""}:
            return self.embedder.embed
        from askew.agent.models.local import LocalModel

        model = self.model if name == self.settings.student else LocalModel(name, model_folder(name))
        return VectorCache(cache_folder() / "features" / "features.sqlite", model.fingerprint + "/plain").bound(
            model.features
        )

    def close(self) -> None:
        """End what the model holds: a server, where it has one. Safe to call twice."""
        for name in ("warmed", "model"):
            if self.__dict__.get(name) is not None:
                self.__dict__[name].close()


def load_cases(settings: Settings, load: Load = load_task) -> LoadedTask:
    """The task with the cases that a run with these settings uses."""
    return limited(every_case(settings, load), settings)


def every_case(settings: Settings, load: Load = load_task) -> LoadedTask:
    """The task with all that its splits hold, also what a run that is kept small leaves out."""
    return load(settings.task, settings.seed, settings.test_size or 0)


def limited(loaded: LoadedTask, settings: Settings) -> LoadedTask:
    """The task with no more cases in a split than the settings allow."""
    sizes = {
        Split.POOL: settings.pool_size,
        Split.VALIDATION: settings.test_size,
        Split.TEST: settings.test_size,
    }
    kept = tuple(case for split in Split for case in loaded.task.split(split)[: sizes.get(split)])
    if len(kept) == len(loaded.task.cases):
        return loaded
    return replace(loaded, task=replace(loaded.task, cases=kept, fingerprint=fingerprint(kept)))


def embedder() -> Embedder:
    """Sentence embeddings, kept on disk."""
    return Embedder(model_folder("minilm"), cache_folder() / "features" / "minilm.sqlite")


def load_model(settings: Settings, logs: Path) -> LanguageModel:
    """The student a run names, in the backend it names; nothing is started before it is needed."""
    folder = model_folder(settings.student)
    if settings.backend == "vllm":
        from askew.agent.models.vllm import served_student

        return served_student(settings.student, folder, settings.vllm, logs)
    from askew.agent.models.local import LocalModel

    if not is_causal(folder):
        raise InputError(
            f"student {settings.student!r} is no causal language model, as its config.json says. 'askew models list' "
            "shows the built-in ones."
        )
    try:
        return LocalModel(settings.student, folder)
    except (OSError, ValueError, TypeError, AttributeError, SafetensorError) as error:
        raise InputError(
            f"student {settings.student!r} is no causal language model that can be loaded "
            f"({' '.join(str(error).split())[:200]}): expected a folder with config.json, tokenizer.json and "
            "*.safetensors. 'askew models list' shows the built-in ones."
        ) from error


def check_task(loaded: LoadedTask, budget: int) -> None:
    """Raise ``InputError`` for a task that nothing can be learned or measured on with this budget."""
    task = loaded.task
    if not task.split(Split.POOL):
        raise InputError(f"{task.name} has no cases in split 'pool': there is nothing to ask. Add some.")
    if len(task.split(Split.POOL)) < budget:
        raise InputError(
            f"budget {budget} is larger than the pool of {task.name} ({len(task.split(Split.POOL))} cases). "
            "Give a smaller --budget or more pool cases."
        )
    weights = task.weights_of(task.split(Split.POOL))
    if min(weights) < 0 or max(weights) <= 0:
        raise InputError(
            f"{task.name}'s pool has weights from {min(weights):g} to {max(weights):g}: expected none below 0, and not "
            "all 0."
        )
    labels = {loaded.gold[case.id] for case in task.split(Split.TEST) if case.id in loaded.gold}
    if len(labels) == 1:
        raise InputError(
            f"every gold label of {task.name}'s test split is {labels.pop()}: accuracy would mean nothing. "
            "Give a test split with at least two classes."
        )


def run_experiment(
    settings: Settings, folder: Path, twins: tuple[str, ...] | None, say: Say, supervisor: Supervisor | None = None
) -> tuple[str, ...]:
    """Run a method in ``folder`` and its twins in ``folder/twins``; a folder that exists is continued.

    Gives the twins that were run: those asked for, or by default :func:`default_twins`.
    ``supervisor`` stands in for the one that the settings name (people at a web page, say).

    Raises:
        InputError: the settings can't be used; nothing was run.
        RunError: the run failed; what was recorded is kept, and running again continues it.
    """
    for name in (settings.method, *(twins or ())):
        _ = METHODS[name]
    with closing(Workbench(settings, folder / VLLM)) as bench:
        return _run_all(settings, folder, twins, say, supervisor, bench)


def _run_all(
    settings: Settings,
    folder: Path,
    twins: tuple[str, ...] | None,
    say: Say,
    supervisor: Supervisor | None,
    bench: Workbench,
) -> tuple[str, ...]:
    """:func:`run_experiment` on a workbench."""
    chosen = default_twins(settings, bench.loaded) if twins is None else twins
    twins = tuple(name for name in chosen if name != settings.method)
    if supervisor is None and settings.supervisor == "human":
        if settings.labellers > 1:
            raise InputError(
                f"{folder} asks {settings.labellers} people: they answer in a browser, 'askew label {folder}'."
            )
        supervisor = HumanSupervisor(bench.loaded.task.question, Desk(folder))
    if supervisor is not None:
        bench.supervisor = supervisor
    # What can't be used is found out before the folder is made.
    _ = bench.model
    for name in dict.fromkeys((settings.method, *twins)):
        check_method(name, bench.supervisor, settings.supervisor, bench.loaded.task)
    check_space(folder)
    write_config(settings, folder, twins)
    for name in dict.fromkeys((settings.method, *twins)):
        mine = settings.model_copy(update={"method": name})
        place = folder if name == settings.method else folder / TWINS / name
        if place is not folder:
            place.mkdir(parents=True, exist_ok=True)
            write_config(mine, place, ())
        if not is_finished(place):
            run_method(mine, place, bench, say)
    return twins


def default_twins(settings: Settings, loaded: LoadedTask) -> tuple[str, ...]:
    """The passive twin and the bounds, as far as they make sense.

    A person is not asked to label the whole test set, nor a second time for a rival; a ceiling takes gold labels.
    """
    twins = ["weak", "passive-naive", "ceiling"] if settings.method == "scientific" else ["weak", "ceiling"]
    if settings.supervisor == "human":
        twins = ["ceiling"]
    return tuple(name for name in twins if name != "ceiling" or loaded.gold)


def run_method(settings: Settings, folder: Path, bench: Workbench, say: Say) -> None:
    """Run one method in its folder, from the start or from where its log ends.

    Raises ``NotApplicableError`` where it needs what supervisor or task haven't got; nothing was recorded then.
    """
    check_method(settings.method, bench.supervisor, settings.supervisor, bench.loaded.task)
    bench.model.withdraw()  # what the last method taught the student is its own
    with Journal(folder) as journal:
        say(f"{settings.method} ▸ the strong model reads the pool (once; what it sees is kept)")
        lab = Lab(
            settings=settings,
            task=bench.loaded.task,
            supervisor=bench.supervisor,
            model=bench.model,
            representation=bench.representation,
            embed=bench.embedder.embed,
            journal=journal,
            folder=folder,
            say=say,
            warmed=lambda: bench.warmed,
        )
        with journal.timed("method"):
            METHODS[settings.method].run(lab, bench.loaded)


def write_config(settings: Settings, folder: Path, twins: tuple[str, ...]) -> None:
    """Store the resolved settings; a folder that has others is refused."""
    config = {"askew": askew.__version__, "twins": list(twins), **settings.model_dump()}
    path = folder / CONFIG
    if path.exists():
        stored_settings, stored_twins = read_config(folder)
        if (stored_settings, stored_twins) != (settings, twins):
            raise InputError(
                f"{folder} holds a run with other settings. Continue it with 'askew resume {folder}', or "
                "choose another --out."
            )
        return
    if folder.exists() and any(item.name != "lock" for item in folder.iterdir()):
        raise InputError(f"{folder} is not empty and not a run folder: choose another --out.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise RunError(f"can't write {path}: {error.strerror}. Choose another --out, or free some space.") from error


def read_config(folder: Path) -> tuple[Settings, tuple[str, ...]]:
    """Settings and twins of a run folder; raises ``InputError`` where there are none."""
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{folder} is not a run folder: no {CONFIG} in it. 'askew run --out DIR' makes one.") from None
    except (ValueError, UnicodeDecodeError) as error:
        raise InputError(f"{folder / CONFIG} is damaged: {error}. Restore it from a copy.") from error
    if not isinstance(config, dict):
        raise InputError(f"{folder / CONFIG} is damaged: expected a JSON object. Restore it from a copy.")
    twins = tuple(config.pop("twins", ()))
    config.pop("askew", None)
    try:
        return Settings(**config), twins
    except ValidationError as error:
        first = error.errors()[0]
        setting = ".".join(map(str, first["loc"]))
        raise InputError(
            f"{folder / CONFIG} holds no settings of a run of this version of askew ({setting}: {first['msg']}). "
            "Name a run folder, or use the version that wrote it."
        ) from error


def check_space(folder: Path) -> None:
    """Raise ``RunError`` when the disk is all but full, before anything is computed."""
    parent = next(p for p in (folder.absolute(), *folder.absolute().parents) if p.exists())
    free = shutil.disk_usage(parent).free
    if free < SMALLEST_FREE_SPACE:
        raise RunError(
            f"only {free / 1e6:.0f} MB are free at {parent}, expected {SMALLEST_FREE_SPACE / 1e6:.0f} MB. "
            "Free some space."
        )


def run_folders(folder: Path) -> list[Path]:
    """The run folder itself and those of its twins; or all run folders below a folder that is none itself."""
    if folder.is_dir() and not (folder / CONFIG).is_file():
        # A model's weights come with a config.json of their own, and a run keeps some.
        found = [path.parent for path in folder.rglob(CONFIG) if STUDENT not in path.relative_to(folder).parts]
        return sorted(found) or [folder]
    return [folder, *sorted(path for path in (folder / TWINS).glob("*") if (path / CONFIG).is_file())]


def is_finished(folder: Path) -> bool:
    """Whether the run in ``folder`` has begun and come to its end."""
    return (folder / EVENTS).is_file() and any(event.kind == "run-finished" for event in read_events(folder))
