"""Ask a language model through OpenAI's chat interface, which nearly every service and local server has.

The client library only sends requests: `stages.toolkit.llm.service` does the retries, and redirects are not followed. A
server that does not know an optional parameter is asked without it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import openai
from pydantic import BaseModel, ValidationError

from shared.language_model import Usage
from shared.stage import Device
from stages.toolkit.llm.service import Answer, Connection, Question, UnusableAnswer, connection_of, send

_OFFICIAL = "https://api.openai.com/v1"
_NO_KEY = "none"  # the client needs a key; a local server checks none


class _Message(BaseModel):
    content: str | None = None
    refusal: str | None = None


class _Choice(BaseModel):
    message: _Message
    finish_reason: str | None = None


class _Tokens(BaseModel):
    prompt_tokens: int = 0
    completion_tokens: int = 0


class _Completion(BaseModel):
    choices: list[_Choice]
    usage: _Tokens | None = None


class OpenAiChat:
    """A model of one service."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._client = openai.OpenAI(
            api_key=connection.key or _NO_KEY,
            base_url=connection.address,
            timeout=connection.timeout_s,
            max_retries=0,
            http_client=openai.DefaultHttpxClient(follow_redirects=False),
        )
        self._unknown: set[str] = set()  # parameters that this server does not take

    def ask(self, question: Question) -> Answer:
        """See `LanguageModel.ask`."""
        create = self._client.chat.completions.with_raw_response.create
        return self._read(send(openai, self._connection, lambda: create(**self._request(question)), self._learn))

    def _request(self, question: Question) -> dict[str, Any]:  # the library's own types for each are not ours to name
        request: dict[str, Any] = {
            "model": self._connection.model,
            "messages": [
                {"role": "system", "content": question.task},
                {"role": "user", "content": question.material},
            ],
            "temperature": 0,
            "seed": 0,
            "max_tokens": question.max_tokens,
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "lines", "strict": True, "schema": question.form},
            },
        }
        if "max_tokens" in self._unknown:
            request["max_completion_tokens"] = question.max_tokens
        return {name: value for name, value in request.items() if name not in self._unknown}

    def _learn(self, complaint: str) -> bool:
        """Tell whether a request was refused for an optional parameter, and leave that parameter out from now on."""
        named = {
            name
            for name in ("temperature", "seed", "max_tokens", "max_completion_tokens", "response_format")
            if name in complaint and name not in self._unknown
        }
        if "json_schema" in complaint and "response_format" not in self._unknown:
            named.add("response_format")
        if "max_tokens" in named:  # the message also names the parameter to use instead
            named.discard("max_completion_tokens")
        self._unknown |= named
        return bool(named)

    def _read(self, text: str) -> Answer:
        try:
            completion = _Completion.model_validate_json(text)
            choice = completion.choices[0]
        except (ValidationError, IndexError):
            raise UnusableAnswer(f"{self._connection.address} does not speak the chat interface") from None
        tokens = completion.usage or _Tokens()
        usage = Usage(requests=1, input_tokens=tokens.prompt_tokens, output_tokens=tokens.completion_tokens)
        reply = choice.message.content or choice.message.refusal or ""
        return Answer(reply, usage, choice.finish_reason == "length")


def connect(models: Mapping[str, Path], device: Device) -> OpenAiChat:
    """Return the client; it connects with the first request."""
    return OpenAiChat(connection_of(device, _OFFICIAL))
