"""A weak supervisor that is a chat model behind an OpenAI-compatible server: ``openai:MODEL[@BASE_URL]``.

The key is read from ``OPENAI_API_KEY``. The client insists on one: without it, a server of your own is sent "none".
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from askew.agent.secret import secret
from askew.errors import InputError, SupervisorError
from askew.prompts.loader import load_prompt
from askew.tasks.case import Case, Task
from askew.tasks.text import LETTERS

KEY = "OPENAI_API_KEY"
UNSURE = "unsure"
TIMEOUT = 60.0
RETRIES = 4


class ChatSupervisor:
    """Prompts a chat model for the letter of an option. The text of a case is marked as data."""

    batch_size = 1

    def __init__(self, argument: str, task: Task) -> None:
        model, _, base_url = argument.partition("@")
        if not model:
            raise InputError("supervisor openai: expected openai:MODEL or openai:MODEL@BASE_URL.")
        key = secret(KEY)
        if "@" in base_url.partition("//")[2].partition("/")[0]:
            raise InputError(
                f"supervisor openai:{model}: the address is kept in the run folder, so it can't hold a password: set "
                f"{KEY} instead."
            )
        if not base_url and key is None:
            raise InputError(f"supervisor openai:{model}: set {KEY}, or give your own server: openai:{model}@BASE_URL.")
        try:
            import openai
        except ImportError:
            raise InputError("supervisor openai needs the client: pip install 'askew[openai]'.") from None
        self.name = f"openai:{model}"
        self._model, self._task = model, task
        self._failure = openai.OpenAIError
        self._client: Any = openai.OpenAI(
            base_url=base_url or None, api_key=key or "none", timeout=TIMEOUT, max_retries=RETRIES
        )

    def label(self, cases: Sequence[Case]) -> list[int | None]:
        """The model's answers; raises ``SupervisorError`` when it can't be had or answers something else."""
        return [self._ask(case) for case in cases]

    def _ask(self, case: Case) -> int | None:
        letters = tuple(LETTERS[: len(case.options)])
        prompt = load_prompt("label_case").render(
            question=self._task.question,
            noun=self._task.noun,
            text=case.text,
            options=list(zip(letters, case.options, strict=True)),
        )
        schema = {
            "type": "object",
            "properties": {"answer": {"type": "string", "enum": [*letters, UNSURE]}},
            "required": ["answer"],
            "additionalProperties": False,
        }
        form = {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": schema}}
        try:
            completion = self._client.chat.completions.create(
                model=self._model,
                messages=[{"role": "user", "content": prompt}],
                temperature=0.0,
                response_format=form,
            )
        except self._failure as error:
            raise SupervisorError(
                f"{self.name} gave no answer to case {case.id!r}: {type(error).__name__}: {str(error)[:200]}. Answers "
                "so far are kept: see to the server or the key, then run 'askew resume'."
            ) from None
        choice = completion.choices[0] if completion.choices else None
        text = (choice.message.content or "") if choice else ""
        answer = _answer(text)
        # One that refuses would refuse again: as little is learned as from "unsure", and the label is spent.
        refused = choice is not None and bool(choice.message.refusal or choice.finish_reason == "content_filter")
        if answer == UNSURE or refused:
            return None
        if answer is None or answer not in letters:
            raise SupervisorError(
                f"{self.name} answered {text[:80]!r} to case {case.id!r}: expected one of {', '.join(letters)} or "
                "unsure, as JSON. Answers so far are kept: serve a model that keeps to a JSON schema under that name, "
                "then run 'askew resume'."
            )
        return letters.index(answer)


def _answer(text: str) -> str | None:
    """The answer in the reply: the JSON that was asked for, or a bare letter from a server without schemas."""
    try:
        found = json.loads(text)
    except ValueError:
        found = text
    if isinstance(found, dict):
        found = found.get("answer")
    if not isinstance(found, str):
        return None
    said = found.strip().strip('".')
    return UNSURE if said.casefold() == UNSURE else said.upper()
