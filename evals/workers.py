"""Where the trials of a bench run: in this process, in processes of their own, or on a Ray cluster.

A trial is a function of its cells, so it gives the same wherever it runs; what it finishes is in its run
folders at once. A trial whose process is killed is tried again and continues where its log ends.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from askew.agent.config import Settings
from askew.errors import AskewError, InputError, RunError

Cells = Sequence[Settings]
Report = dict[str, str]
"""A cell that failed or was left out: task, supervisor, method, seed, error."""
Trial = Callable[[Cells, Path], list[Report]]
"""Runs the cells of one task, supervisor and seed; reports those that were not run to their end."""

RETRIES = 2
"""Times that a trial is started again after its process was killed."""
OBJECT_STORE = 100_000_000
"""Bytes of shared memory for a local Ray: only reports travel through it."""


@dataclass(frozen=True, slots=True)
class Workers:
    """``count`` processes, or a Ray cluster at ``address`` ("" starts one here); each trial gets ``threads``."""

    count: int = 1
    ray: bool = False
    address: str = ""
    threads: int = 0
    gpus: float = 0.0

    @property
    def threads_each(self) -> int:
        """Threads of one trial: as given, otherwise this machine's cores shared out (one on Ray)."""
        if self.threads:
            return self.threads
        return 1 if self.ray else max(1, cores() // self.count)


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def parse_workers(text: str, threads: int = 0, gpus: float = 0.0) -> Workers:
    """``4``, ``ray`` or ``ray:ADDRESS``. Raises ``InputError`` on anything else."""
    kind, _, address = text.partition(":")
    if kind == "ray":
        return Workers(ray=True, address=address, threads=threads, gpus=gpus)
    if not text.isdecimal() or int(text) < 1:
        raise InputError(f"--workers {text!r}: expected a number of processes (1, 2, …), 'ray' or 'ray:ADDRESS'.")
    return Workers(int(text), threads=threads)


def outcomes(
    trials: Sequence[Cells], out: Path, workers: Workers, run: Trial
) -> Iterator[tuple[Cells, list[Report] | Exception]]:
    """Run the trials; each with its reports, or with the error that ended it, in the order in which they end."""
    pinned = partial(_pinned, run, workers.threads_each)
    if workers.ray:
        yield from _on_ray(trials, out, workers, pinned)
    elif workers.count == 1:
        yield from ((cells, _attempt(pinned, cells, out)) for cells in trials)
    else:
        yield from _in_processes(trials, out, workers.count, pinned)


def _pinned(run: Trial, threads: int, cells: Cells, out: Path) -> list[Report]:
    """The trial with a fixed number of threads, so that trials don't fight over cores."""
    import torch
    from threadpoolctl import threadpool_limits

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with threadpool_limits(threads):
            return run(cells, out)
    finally:
        torch.set_num_threads(before)


def _attempt(run: Trial, cells: Cells, out: Path) -> list[Report] | Exception:
    try:
        return run(cells, out)
    except Exception as error:
        return error


def _in_processes(
    trials: Sequence[Cells], out: Path, count: int, run: Trial
) -> Iterator[tuple[Cells, list[Report] | Exception]]:
    """At most ``count`` trials at a time, each thread waiting for a process of its own, which it replaces if killed."""
    mine = threading.local()
    hired: list[_Process] = []
    stopping = threading.Event()

    def attempt(cells: Cells) -> list[Report] | Exception:
        code = None
        for _ in range(1 + RETRIES):
            process: _Process | None = getattr(mine, "process", None)
            if process is None:
                process = mine.process = _Process(run, out)
                hired.append(process)
            if stopping.is_set():
                process.stop()
            try:
                return process.ask(cells)
            except (EOFError, OSError):
                code, mine.process = process.ended(), None
            if stopping.is_set():
                return RunError("interrupted: --resume goes on where it stopped.")
        return RunError(
            f"the trial's process ended with code {code} ({1 + RETRIES} times tried): is there enough memory? Fewer "
            "--workers need less."
        )

    pool = ThreadPoolExecutor(count)
    try:
        futures = {pool.submit(attempt, cells): cells for cells in trials}
        for future in as_completed(futures):
            yield futures[future], future.result()
    except BaseException:  # an interrupt, mostly: what the processes have done is in their run folders
        stopping.set()
        for process in tuple(hired):
            process.stop()
        raise
    finally:
        pool.shutdown(cancel_futures=True)
        for process in hired:
            process.ended()


class _Process:
    """A process that runs one trial after the other, and keeps what they have in common."""

    def __init__(self, run: Trial, out: Path) -> None:
        context = multiprocessing.get_context("spawn")  # a forked torch may hang
        self._connection, inner = context.Pipe()
        self._process = context.Process(target=_serve, args=(inner, run, out), daemon=True)
        self._process.start()
        inner.close()

    def ask(self, cells: Cells) -> list[Report] | Exception:
        """Run a trial there. Raises ``EOFError`` or ``OSError`` where the process was killed."""
        self._connection.send(cells)
        outcome: list[Report] | Exception = self._connection.recv()
        return outcome

    def stop(self) -> None:
        """End it in the middle of its trial."""
        self._process.terminate()

    def ended(self) -> int | None:
        """Its exit code, once it has seen that there is no more to do."""
        self._connection.close()
        self._process.join()
        return self._process.exitcode


def _serve(connection: Connection, run: Trial, out: Path) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal interrupts all of them: the first process ends the others
    while True:
        try:
            cells = connection.recv()
        except EOFError:
            return
        outcome = _attempt(run, cells, out)
        try:
            connection.send(outcome)
        except Exception:  # an error that can't be pickled still has a message
            connection.send(RunError(f"{type(outcome).__name__}: {outcome}"))


def _on_ray(
    trials: Sequence[Cells], out: Path, workers: Workers, run: Trial
) -> Iterator[tuple[Cells, list[Report] | Exception]]:
    """One task a trial. On a cluster of several machines ``out`` has to be a folder that all of them share."""
    ray = _started(workers)
    try:
        task = ray.remote(num_cpus=workers.threads_each, num_gpus=workers.gpus, max_retries=RETRIES)(_attempt)
        waiting = {task.remote(run, cells, out.absolute()): cells for cells in trials}
        while waiting:
            (done, *_), _ = ray.wait(list(waiting), num_returns=1)
            cells = waiting.pop(done)
            try:
                yield cells, ray.get(done)
            except ray.exceptions.RayError as error:
                yield cells, RunError(f"the Ray task was lost: {_last_line(error)}")
    finally:
        ray.shutdown()


def _started(workers: Workers) -> Any:
    """Ray, connected to the cluster or started here. Raises ``InputError`` where neither is possible."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing about a run leaves the machine
    if not workers.address:  # a cluster of one: its servers stay on loopback (the name is from before Linux had it)
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    try:
        ray: Any = import_module("ray")
    except ImportError:
        raise InputError("--workers ray needs the package 'ray': pip install 'askew[ray]'.") from None
    quiet = {"log_to_driver": False, "configure_logging": False}
    try:
        if workers.address:
            ray.init(address=workers.address, **quiet)
        else:
            ray.init(
                num_cpus=max(cores(), workers.threads_each), include_dashboard=False,
                object_store_memory=OBJECT_STORE, **quiet,
            )  # fmt: skip
    except (ConnectionError, ValueError, RuntimeError) as error:
        where = workers.address or "this machine"
        raise InputError(
            f"can't use Ray at {where}: {str(error).splitlines()[0]}. Is a cluster running there?"
        ) from error
    needs = {"CPU": workers.threads_each, "GPU": workers.gpus}
    machines = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    if not any(all(machine.get(name, 0) >= needed for name, needed in needs.items()) for machine in machines):
        ray.shutdown()
        most = ", ".join(f"{m.get('CPU', 0):g} CPU and {m.get('GPU', 0):g} GPU" for m in machines)
        raise InputError(
            f"a trial needs {needs['CPU']:g} CPU and {needs['GPU']:g} GPU of one machine, and those of the Ray cluster "
            f"have {most}: it would wait for ever. Ask for less with --threads or --gpus."
        )
    return ray


def _last_line(error: Exception) -> str:
    """What went wrong: an error of Ray is a traceback, and says so at its end."""
    return next((line.strip() for line in reversed(str(error).splitlines()) if line.strip()), type(error).__name__)


def report(settings: Settings, error: Exception) -> Report:
    """What is told of a cell that has no result."""
    cell = {"task": settings.task, "supervisor": settings.supervisor, "method": settings.method}
    said = str(error) if isinstance(error, AskewError) else f"{type(error).__name__}: {error}"
    return {**cell, "seed": str(settings.seed), "error": said}
