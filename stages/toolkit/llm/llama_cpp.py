"""Run a language model on this machine with llama.cpp, from a GGUF file.

The library also serves the model on a loopback port. Only this process knows its key, and calls it directly. The cache
of earlier prompts is switched off, because it would change the last digits of the next computation.
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
from stages.toolkit.llm.service import Answer, Question, UnusableAnswer

_CONTEXT_TOKENS = 8192
_LONGEST_LINE = 400  # characters: ends the repetition of a small model before its context is full


class LlamaCpp:
    """The loaded model. It computes one answer at a time."""

    def __init__(self, model: Path, device: Device) -> None:
        params = xllamacpp.CommonParams()
        params.model.path = str(model)
        params.offline = True
        params.api_keys = [secrets.token_hex()]
        params.n_ctx, params.n_parallel = _CONTEXT_TOKENS, 1
        params.fit_params, params.warmup, params.verbosity = False, False, 1
        params.cache_prompt, params.cache_ram_mib = False, 0
        params.n_gpu_layers = 0 if device.kind == "cpu" else -1
        # Its threads wait for each other many times a token. If one of them shares its core with another program, all
        # of them wait. So it uses one core less than granted, and its threads do not spin.
        for threads in (params.cpuparams, params.cpuparams_batch):
            threads.n_threads, threads.poll = max(device.threads - 1, 1), 0
        self._server = xllamacpp.Server(params)

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
            "response_format": {"type": "json_schema", "json_schema": {"schema": _schema_of(question)}},
        }
        try:
            answer: dict[str, Any] = self._server.handle_chat_completions(request)
        except RuntimeError as error:  # the answer cannot be parsed, or the question is too long
            raise UnusableAnswer(f"llama.cpp said: {error}") from error
        if "choices" not in answer:
            raise UnusableAnswer(f"llama.cpp said: {str(answer.get('message') or answer)[:200]}")
        choice, tokens = answer["choices"][0], answer.get("usage", {})
        usage = Usage(
            requests=1, input_tokens=tokens.get("prompt_tokens", 0), output_tokens=tokens.get("completion_tokens", 0)
        )
        return Answer(choice["message"]["content"] or "", usage, choice["finish_reason"] == "length")


def _schema_of(question: Question) -> Mapping[str, JsonValue]:
    """Return the schema of the answer, with the exact number of lines, which the library enforces."""
    form: Any = deepcopy(question.form)
    lines = form["properties"]["lines"]
    lines["minItems"] = lines["maxItems"] = question.lines
    lines["items"]["properties"]["text"]["maxLength"] = _LONGEST_LINE
    return dict(form)


def connect(models: Mapping[str, Path], device: Device) -> LlamaCpp:
    """Load the GGUF file of the model's folder. Raises `StageError` unless there is exactly one."""
    files = sorted(models["model"].glob("*.gguf"))
    if len(files) != 1:
        raise StageError("llm.model-file", f"expected one GGUF file in {models['model']}, found {len(files)}")
    return LlamaCpp(files[0], device)
