"""A language model on this machine, by llama.cpp, from a GGUF file.

The library serves what it loads on a port of the loopback as well; only this process knows its key, and we ask it in
this process. What it remembers of earlier prompts is switched off: it would change the last digits of the next.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import xllamacpp
from pydantic import JsonValue

from shared.language_model import Usage
from shared.stage import Device, StageError
from stages.toolkit.llm.service import Answer, Question, Unusable

_CONTEXT_TOKENS = 8192
_LONGEST_LINE = 400  # characters; keeps a small model that repeats itself from writing until its room is full


class LlamaCpp:
    """The loaded model. It computes one answer at a time."""

    def __init__(self, model: Path, device: Device) -> None:
        wanted = xllamacpp.CommonParams()
        wanted.model.path = str(model)
        wanted.offline = True
        wanted.api_keys = [secrets.token_hex()]
        wanted.n_ctx, wanted.n_parallel = _CONTEXT_TOKENS, 1
        wanted.fit_params, wanted.warmup, wanted.verbosity = False, False, 1
        wanted.cache_prompt, wanted.cache_ram_mib = False, 0
        wanted.n_gpu_layers = 0 if device.kind == "cpu" else -1
        # Its threads wait for each other many times a token. Where one of them has to share its core with another
        # program, all stand still: so one core less than granted is used, and none spins.
        for threads in (wanted.cpuparams, wanted.cpuparams_batch):
            threads.n_threads, threads.poll = max(device.threads - 1, 1), 0
        self._server = xllamacpp.Server(wanted)

    def ask(self, question: Question) -> Answer:
        """See `LanguageModel.ask`."""
        # Any: the library takes and gives plain dictionaries.
        request: dict[str, Any] = {
            "messages": [
                {"role": "system", "content": question.task},
                {"role": "user", "content": question.material},
            ],
            "temperature": 0,
            "seed": 0,
            "cache_prompt": False,
            "max_tokens": question.max_tokens,
            "response_format": {"type": "json_schema", "json_schema": {"schema": _exactly(question)}},
        }
        try:
            answer: dict[str, Any] = self._server.handle_chat_completions(request)
        except RuntimeError as error:  # what the model wrote cannot be parsed, or the question is too long for it
            raise Unusable(f"llama.cpp said: {error}") from error
        if "choices" not in answer:
            raise Unusable(f"llama.cpp said: {str(answer.get('message') or answer)[:200]}")
        choice, tokens = answer["choices"][0], answer.get("usage", {})
        usage = Usage(
            requests=1, input_tokens=tokens.get("prompt_tokens", 0), output_tokens=tokens.get("completion_tokens", 0)
        )
        return Answer(choice["message"]["content"] or "", usage, choice["finish_reason"] == "length")


def _exactly(question: Question) -> Mapping[str, JsonValue]:
    """Return the form of the answer, with as many lines as were asked for: the library holds a model to that."""
    form: Any = deepcopy(question.form)
    lines = form["properties"]["lines"]
    lines["minItems"] = lines["maxItems"] = question.lines
    lines["items"]["properties"]["text"]["maxLength"] = _LONGEST_LINE
    return dict(form)


def connect(models: Mapping[str, Path], device: Device) -> LlamaCpp:
    """Load the only GGUF file of the model's folder. Raises `StageError` where there is another number of them."""
    files = sorted(models["model"].glob("*.gguf"))
    if len(files) != 1:
        raise StageError("llm.model-file", f"expected one GGUF file in {models['model']}, found {len(files)}")
    return LlamaCpp(files[0], device)
