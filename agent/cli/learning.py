"""``askew learners``: how a student may learn, and what finetuning would take."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from askew.agent.cli.display import show_table
from askew.errors import InputError

learners_app = typer.Typer(
    help="Learners: list them, estimate what one takes.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
LEARNERS = (
    ("probe", "Bayesian logistic heads on frozen features", "seconds", "every round"),
    ("lora", "adapters on all linear layers; label words through the head", "minutes", "every --retrain-every rounds"),
    ("full", "all weights; label words through the head", "minutes to hours", "every --retrain-every rounds"),
)


@learners_app.command("list")
def list_learners(json_: Json = False) -> None:
    """How the student may learn ('askew run --learner NAME')."""
    columns = ["name", "what learns", "time", "trained"]
    if json_:
        typer.echo(json.dumps([dict(zip(columns, row, strict=True)) for row in LEARNERS], indent=2))
    else:
        show_table("learners", columns, LEARNERS)


@learners_app.command("estimate")
def estimate_command(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A built-in name, a folder, or a name on a hub.")],
    learner: Annotated[str, typer.Option(help="lora or full.")] = "lora",
    devices: Annotated[int, typer.Option(min=1, help="Over which weights are sharded and passes divided.")] = 1,
    tokens: Annotated[
        int, typer.Option(min=1, help="Of all examples together: 1,000 reviews are about 60,000.")
    ] = 60_000,
    rank: Annotated[int, typer.Option(min=1, help="Of the adapters.")] = 16,
    epochs: Annotated[int, typer.Option(min=1)] = 2,
    tokens_at_once: Annotated[int, typer.Option(min=1, help="In one pass on all devices together.")] = 2048,
    texts: Annotated[bool, typer.Option("--texts", help="Every token is learned, not only labels.")] = False,
    checkpointing: Annotated[bool, typer.Option("--checkpointing", help="Recompute activations.")] = False,
    memory_gb: Annotated[float | None, typer.Option(help="Of each device; by default as here.")] = None,
    tflops: Annotated[
        float | None, typer.Option(help="10^12 operations a second of each device; measured here.")
    ] = None,
    json_: Json = False,
) -> None:
    """Memory and time of finetuning a model, before anything is loaded; only its configuration is read."""
    from askew.agent.learners.estimate import estimate
    from askew.agent.learners.recipe import Recipe

    if learner not in {"lora", "full"}:
        raise InputError(f"learner {learner!r} is not finetuned: expected lora or full.")
    recipe = Recipe.model_validate(
        {
            "learner": learner, "r": rank, "epochs": epochs, "tokens_at_once": tokens_at_once,
            "checkpointing": checkpointing,
        }
    )  # fmt: skip
    found = estimate(model, recipe, tokens, devices, texts=texts, memory_gb=memory_gb, tflops=tflops)
    if json_:
        typer.echo(json.dumps(found.data(), indent=2))
        return
    rows = [
        ["parameters", f"{found.parameters / 1e6:,.1f} M"],
        ["trained", f"{found.trained / 1e6:,.1f} M"],
        ["weights", f"{found.weights_gb:.2f} GB"],
        ["gradients", f"{found.gradients_gb:.2f} GB"],
        ["optimiser", f"{found.optimizer_gb:.2f} GB"],
        ["activations", f"{found.activations_gb:.2f} GB"],
        ["on each device", f"{found.total_gb:.2f} GB of {found.available_gb:.0f} GB"],
        ["without sharding", f"{found.replicated_gb:.2f} GB"],
        ["tokens a second", f"{found.tokens_per_second:,.0f}"],
        ["time", f"{found.seconds:,.0f} s for {found.tokens:,} tokens"],
    ]
    show_table(f"{model}, {learner}, {devices} device{'s' if devices > 1 else ''}", ["", ""], rows)
    if not found.fits:
        typer.echo("It does not fit: more --devices, --checkpointing, fewer --tokens-at-once, or lora instead of full.")
