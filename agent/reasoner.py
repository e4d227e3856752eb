"""Who samples the chains of thought: the student with a warm-up adapter where there is one for it, or prompts alone."""

from __future__ import annotations

from pathlib import Path

from filelock import FileLock

from askew.agent.config import Settings
from askew.agent.models.base import LanguageModel
from askew.agent.models.fixed import weights_fingerprint
from askew.errors import InputError
from askew.packages import cache_folder

ADAPTERS = Path(__file__).parent / "adapters"
"""Adapters that are shipped, by the name of the model they belong to."""
WARMED = "+warm-up"
"""What is added to a student's name when it was warmed up."""
ADAPTER_WEIGHTS = "adapter_model.safetensors"


def adapter_of(settings: Settings) -> Path | None:
    """The warm-up adapter that a run uses, or ``None`` for prompts alone.

    By default the shipped one, if the student has one and is not finetuned on the way.
    Raises ``InputError`` for a folder without an adapter.
    """
    if settings.reasoner == "prompts":
        return None
    if settings.reasoner != "auto":
        folder = Path(settings.reasoner)
        if not (folder / ADAPTER_WEIGHTS).is_file():
            raise InputError(
                f"reasoner {settings.reasoner!r}: no {ADAPTER_WEIGHTS} in that folder. Expected 'auto', 'prompts', "
                "or a folder that 'askew warmup' made."
            )
        return folder
    shipped = ADAPTERS / settings.student
    return shipped if settings.learner == "probe" and (shipped / ADAPTER_WEIGHTS).is_file() else None


def needs_warming(settings: Settings) -> bool:
    """Whether the student is one that has to be warmed up before it can reason, whoever samples its chains here."""
    return settings.reasoner not in {"auto", "prompts"} or (ADAPTERS / settings.student).exists()


def load_warmed(base: Path, adapter: Path, name: str) -> LanguageModel:
    """The model in ``base`` with the adapter merged into it, in this process."""
    from askew.agent.models.local import LocalModel

    return LocalModel(f"{name}{WARMED}", warmed_weights(base, adapter, name))


def warmed_weights(base: Path, adapter: Path, name: str) -> Path:
    """The folder of ``base`` with the adapter merged into it: made once, kept in the cache folder."""
    from askew.agent.learners.saving import CARD, merge_adapter, read_card

    card = read_card(adapter, verify=True)
    if card["base_fingerprint"] != weights_fingerprint(base):
        raise InputError(
            f"the warm-up adapter in {adapter} was made for other weights than {name} has: run askew warmup."
        )
    merged: Path = cache_folder() / "reasoners" / card["files"][ADAPTER_WEIGHTS][:16]
    if not (merged / CARD).is_file():  # written last
        merged.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(merged.with_suffix(".lock")):  # the workers of a bench all come here first
            if not (merged / CARD).is_file():
                merge_adapter(base, adapter, merged)
    return merged
