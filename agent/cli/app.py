"""Commands, and how errors become exit codes: 0 done, 1 failed while running, 2 unusable input."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from askew.agent.cli.learning import learners_app
from askew.agent.cli.listings import data_app, methods_app, models_app, supervisors_app, tasks_app
from askew.errors import AskewError, InputError

app = typer.Typer(
    name="askew",
    help="Active weak-to-strong experiments: ask a skewed supervisor the questions that straighten the student.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(models_app, name="models")
app.add_typer(data_app, name="data")
app.add_typer(tasks_app, name="tasks")
app.add_typer(supervisors_app, name="supervisors")
app.add_typer(methods_app, name="methods")
app.add_typer(learners_app, name="learners")

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
VllmPython = Annotated[str | None, typer.Option(metavar="PYTHON", help="Interpreter of the environment that has vLLM.")]
RunFolder = Annotated[Path, typer.Argument(metavar="DIR", help="A run folder.")]


@app.callback(invoke_without_command=False)
def options(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
) -> None:
    """Options that stand before the command."""
    if debug:
        os.environ["ASKEW_DEBUG"] = "1"


@app.command()
def run(
    config: Annotated[Path | None, typer.Argument(metavar="CONFIG.toml", help="Settings in a TOML file.")] = None,
    task: Annotated[str | None, typer.Option(help="A built-in task, hf:DATASET, or a file of cases.")] = None,
    supervisor: Annotated[
        str | None, typer.Option(help="Built-in name, column:NAME, or package.module:factory.")
    ] = None,
    student: Annotated[str | None, typer.Option(help="The strong model: a built-in name or a folder.")] = None,
    method: Annotated[str | None, typer.Option(help="See 'askew methods list'.")] = None,
    budget: Annotated[int | None, typer.Option(help="Weak labels that may be used.")] = None,
    rounds: Annotated[int | None, typer.Option(help="Rounds the budget is spread over.")] = None,
    seed: Annotated[int | None, typer.Option(help="Everything random derives from it.")] = None,
    learner: Annotated[str | None, typer.Option(help="How the student learns: probe, lora or full.")] = None,
    retrain_every: Annotated[int | None, typer.Option(help="Rounds between two trainings (lora, full).")] = None,
    backend: Annotated[str | None, typer.Option(help="local or vllm.")] = None,
    vllm_python: VllmPython = None,
    vllm_server: Annotated[
        str | None, typer.Option(metavar="URL|DIR", help="A vLLM server that runs already, or the folder of one.")
    ] = None,
    chains: Annotated[int | None, typer.Option(help="Chains of thought sampled each round.")] = None,
    reasoner: Annotated[
        str | None, typer.Option(help="Who samples them: auto, prompts, or a folder that askew warmup made.")
    ] = None,
    opinion: Annotated[
        str | None,
        typer.Option(help="How the strong model is asked what it thinks: all (ways the task has), or cue."),
    ] = None,
    written_first: Annotated[int | None, typer.Option(help="Cases the strong model writes before it asks.")] = None,
    written: Annotated[int | None, typer.Option(help="Cases the strong model writes each round.")] = None,
    out: Annotated[Path | None, typer.Option(help="The run folder; by default a new one under runs/.")] = None,
    with_: Annotated[
        str | None,
        typer.Option("--with", help="Methods to compare with, separated by commas; '' for none."),
    ] = None,
) -> None:
    """Run a method on a task and compare it with its passive twin and the bounds.

    Without arguments: the scientific method on the default task, beside passive finetuning at the same
    label budget, the supervisor itself and the ceiling.
    """
    from askew.agent.cli.running import run_command
    from askew.agent.config import read_settings

    given = {
        "task": task, "supervisor": supervisor, "student": student, "method": method, "budget": budget,
        "rounds": rounds, "seed": seed, "learner": learner, "chains_first": chains,
        "retrain_every": retrain_every, "backend": backend, "chains": chains, "reasoner": reasoner,
        "opinion": opinion, "written_first": written_first, "written": written,
        "vllm": {"python": vllm_python, "server": vllm_server},
    }  # fmt: skip
    run_command(read_settings(config, given), out, with_)


@app.command()
def resume(folder: RunFolder) -> None:
    """Continue a run exactly where it stopped."""
    from askew.agent.cli.running import resume_command

    resume_command(folder)


@app.command()
def compare(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Run folders; their twins come along.")],
    json_: Json = False,
    plot: Annotated[Path | None, typer.Option(help="Draw curves, table and mistakes found to this PNG.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write the same, and more, as one self-contained page.")] = None,
) -> None:
    """Compare methods side by side at equal label budget."""
    from askew.agent.cli.running import compare_command

    compare_command(folders, json_, plot, html)


@app.command()
def inspect(
    folder: RunFolder,
    set_: Annotated[str | None, typer.Option("--set", help="One hypothesis set, in full.")] = None,
    case: Annotated[str | None, typer.Option("--case", help="Everything about one case.")] = None,
    experiment: Annotated[
        str | None, typer.Option("--experiment", help="One experiment, and why it was asked.")
    ] = None,
    chains: Annotated[bool, typer.Option("--chains", help="Chains of thought, repetition collapsed.")] = False,
    search: Annotated[str | None, typer.Option("--search", help="Whatever holds these words.")] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Tell what happens, until the run is finished.")] = False,
    json_: Json = False,
) -> None:
    """What was believed, why each case was asked, and what changed."""
    from askew.agent.cli.inspecting import Wanted, follow_command, inspect_command

    if follow:
        wanted = {"--set": set_, "--case": case, "--experiment": experiment, "--search": search, "--chains": chains}
        _refuse("inspect --follow tells everything", wanted)
        follow_command(folder, json_)
    else:
        inspect_command(folder, Wanted(set_, case, experiment, search, chains), json_)


@app.command()
def bench(
    suite: Annotated[
        str,
        typer.Argument(
            metavar="SUITE",
            help="quick, full, recovery, planted, taste, controls, finetuned, all-ways, asking, a TOML file with a "
            "grid, or throughput (of vLLM).",
        ),
    ],
    out: Annotated[Path | None, typer.Option(help="Where the runs go; by default runs/bench-SUITE.")] = None,
    json_: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the results here.")] = None,
    resume_: Annotated[bool, typer.Option("--resume", help="Continue what is in the folder already.")] = False,
    workers: Annotated[
        str | None,
        typer.Option(help="Processes (each holds the models), 'ray', or 'ray:ADDRESS'; by default the suite's."),
    ] = None,
    threads: Annotated[int, typer.Option(min=0, help="Threads of a trial; 0 shares the cores out, 1 on Ray.")] = 0,
    gpus: Annotated[float, typer.Option(min=0, help="GPUs that a trial needs, on Ray.")] = 0.0,
    seeds: Annotated[int | None, typer.Option(min=1, help="How many seeds, instead of the suite's.")] = None,
    first_seed: Annotated[
        int | None, typer.Option(min=0, help="The first of them: seeds nobody has looked at.")
    ] = None,
    tasks: Annotated[str | None, typer.Option(help="Tasks of the suite, separated by commas, instead of all.")] = None,
    methods: Annotated[str | None, typer.Option(help="Methods, separated by commas, instead of the suite's.")] = None,
    vllm_python: VllmPython = None,
) -> None:
    """Run a grid of task × supervisor × method × seed and compare; or measure how fast vLLM answers the agent."""
    if suite == "throughput":
        from askew.agent.cli.students import throughput_command

        grid = {"--out": out, "--resume": resume_, "--workers": workers, "--threads": threads, "--gpus": gpus,
                "--seeds": seeds, "--first-seed": first_seed, "--tasks": tasks}  # fmt: skip
        _refuse("bench throughput measures one server", grid)
        throughput_command(vllm_python, json_, methods)
        return
    from askew.agent.cli.benching import bench_command

    _refuse("a suite says under [settings.vllm] where vLLM is", {"--vllm-python": vllm_python})
    bench_command(suite, out, json_, resume_, workers, threads, gpus, seeds, first_seed, tasks, methods)


@app.command()
def warmup(
    student: Annotated[str, typer.Argument(metavar="MODEL", help="A built-in model or a folder.")] = "smollm2-135m",
    out: Annotated[Path, typer.Option(help="Where the adapter goes.")] = Path("runs/reasoner"),
    traces: Annotated[
        int | None,
        typer.Option(min=1, help="Chains of thought to learn from; by default a quarter of an hour of them."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Everything random derives from it.")] = 0,
    measure: Annotated[bool, typer.Option("--measure", help="Only measure the adapter that is there.")] = False,
) -> None:
    """Teach a small model to ground its chains of thought in the case, on generated traces."""
    from askew.agent.cli.warming import warmup_command

    warmup_command(student, out, traces, seed, measure)


@app.command()
def view(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A run folder, or a folder of them.")] = Path("runs"),
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 0,
    host: Annotated[str, typer.Option(help="Another address than loopback needs --expose too.")] = "127.0.0.1",
    expose: Annotated[bool, typer.Option("--expose", help="Allow an address that others can reach.")] = False,
) -> None:
    """Look at hypothesis logs and comparisons in a browser."""
    from askew.agent.cli.viewing import view_command

    view_command(folder, host, port, expose)


@app.command()
def label(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A run folder, or a new one.")],
    task: Annotated[str | None, typer.Option(help="For a new run: a built-in task or a file of cases.")] = None,
    budget: Annotated[int | None, typer.Option(help="For a new run: answers that may be asked for.")] = None,
    rounds: Annotated[int | None, typer.Option(help="For a new run: rounds the budget is spread over.")] = None,
    seed: Annotated[int | None, typer.Option(help="For a new run: everything random derives from it.")] = None,
    labellers: Annotated[
        int | None, typer.Option(min=1, help="For a new run: people who answer each case; the majority counts.")
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 0,
    host: Annotated[str, typer.Option(help="Another address than loopback needs --expose too.")] = "127.0.0.1",
    expose: Annotated[bool, typer.Option("--expose", help="Allow an address that others can reach.")] = False,
) -> None:
    """Be the weak supervisor, in a browser: the run goes on as you answer."""
    from askew.agent.cli.viewing import label_command
    from askew.agent.config import read_settings

    given = {"task": task, "budget": budget, "rounds": rounds, "seed": seed}
    begun = any(value is not None for value in given.values())
    settings = read_settings(None, {**given, "labellers": labellers, "supervisor": "human"}) if begun else None
    label_command(folder, settings, labellers, host, port, expose)


@app.command()
def serve(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A built-in model, a folder, or a hub's name.")],
    stop: Annotated[bool, typer.Option("--stop", help="Stop the one that runs in the folder.")] = False,
    background: Annotated[bool, typer.Option("--background", help="Come back once it is ready.")] = False,
    out: Annotated[Path | None, typer.Option(help="Where its log and address go; runs/serve-MODEL.")] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 0,
    vllm_python: VllmPython = None,
    tensor_parallel: Annotated[int | None, typer.Option(help="Devices that share each layer.")] = None,
    data_parallel: Annotated[int | None, typer.Option(help="Copies of the model.")] = None,
    dtype: Annotated[str | None, typer.Option(help="auto, bfloat16, float16 or float32.")] = None,
    memory_fraction: Annotated[float | None, typer.Option(help="Share of a GPU's memory that it may take.")] = None,
    quantisation: Annotated[str | None, typer.Option(help="As vLLM calls it: fp8, awq, ….")] = None,
    max_length: Annotated[int | None, typer.Option(help="Tokens of prompt and continuation together.")] = None,
) -> None:
    """Start or stop vLLM's server for a model, on loopback; use it with 'askew run --vllm-server DIR'."""
    from askew.agent.cli.students import serve_command, stop_command
    from askew.agent.config import read_settings

    folder = out or Path("runs") / f"serve-{Path(model).name}"
    if stop:
        stop_command(folder)
        return
    given = {
        "python": vllm_python, "tensor_parallel": tensor_parallel, "data_parallel": data_parallel, "dtype": dtype,
        "memory_fraction": memory_fraction, "quantisation": quantisation, "max_length": max_length,
    }  # fmt: skip
    serve_command(model, read_settings(None, {"vllm": given}).vllm, folder, port, background)


@app.command()
def doctor(json_: Json = False) -> None:
    """Check that everything a run needs is here."""
    from askew.agent.cli.checkup import doctor_command

    raise typer.Exit(doctor_command(json_))


INTERRUPTED = 130
"""Exit code of a command that Ctrl-C ended."""


def _refuse(why: str, options: dict[str, Any]) -> None:
    """Raise ``InputError`` for options that were given and would do nothing."""
    given = [name for name, value in options.items() if value]
    if given:
        raise InputError(f"{', '.join(given)} can't be given here: {why}. Leave it out.")


def main(arguments: list[str] | None = None) -> None:
    """The console script: runs a command and turns deliberate errors into one message and an exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    # --debug is understood anywhere on the line.
    if "--debug" in arguments:
        os.environ["ASKEW_DEBUG"] = "1"
        arguments = [argument for argument in arguments if argument != "--debug"]
    try:
        outcome: Any = app(arguments, standalone_mode=True)
    except AskewError as error:
        if os.environ.get("ASKEW_DEBUG"):
            raise
        sys.stderr.write(f"askew: {error}\n")
        sys.exit(error.exit_code)
    except SystemExit as ended:  # typer's way of telling an interrupt
        if ended.code == INTERRUPTED:
            sys.stderr.write("askew: interrupted. What was recorded is kept; 'askew resume DIR' continues.\n")
        raise
    except OSError as error:
        if os.environ.get("ASKEW_DEBUG"):
            raise
        sys.stderr.write(
            f"askew: {error.filename or 'the system'}: {error.strerror or error}. Nothing recorded is lost.\n"
        )
        sys.exit(1)
    sys.exit(outcome if isinstance(outcome, int) else 0)
