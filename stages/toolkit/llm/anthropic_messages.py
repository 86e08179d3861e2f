"""Ask a language model of Anthropic. A tool that the model must use gives the answer its form. See `openai_chat`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anthropic
from pydantic import BaseModel, JsonValue, ValidationError

from shared.language_model import Usage
from shared.stage import Device
from stages.toolkit.llm.service import Answer, Connection, Question, UnusableAnswer, connection_of, send

_OFFICIAL = "https://api.anthropic.com"
_TOOL = "lines"
_NO_KEY = "none"


class _Block(BaseModel):
    type: str
    text: str = ""
    input: JsonValue = None


class _Tokens(BaseModel):
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None


class _Answered(BaseModel):
    content: list[_Block]
    stop_reason: str | None = None
    usage: _Tokens = _Tokens()


class AnthropicMessages:
    """A model of Anthropic's."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._client = anthropic.Anthropic(
            api_key=connection.key or _NO_KEY,
            base_url=connection.address.removesuffix("/v1"),
            timeout=connection.timeout_s,
            max_retries=0,
            http_client=anthropic.DefaultHttpxClient(follow_redirects=False),
        )
        self._unknown: set[str] = set()

    def ask(self, question: Question) -> Answer:
        """See `LanguageModel.ask`."""
        create = self._client.messages.with_raw_response.create
        return self._read(send(anthropic, self._connection, lambda: create(**self._request(question)), self._learn))

    def _request(self, question: Question) -> dict[str, Any]:  # the library's own types for each are not ours to name
        request: dict[str, Any] = {
            "model": self._connection.model,
            "max_tokens": question.max_tokens,
            "system": question.task,
            "messages": [{"role": "user", "content": question.material}],
            "tools": [{"name": _TOOL, "description": "Takes the finished lines.", "input_schema": question.form}],
            "tool_choice": {"type": "tool", "name": _TOOL},
        }
        if "temperature" not in self._unknown:  # newer models take none, so the library has no such parameter
            request["extra_body"] = {"temperature": 0}
        return {name: value for name, value in request.items() if name not in self._unknown}

    def _learn(self, complaint: str) -> bool:
        named = {name for name in ("temperature", "tool_choice") if name in complaint} - self._unknown
        self._unknown |= named
        return bool(named)

    def _read(self, text: str) -> Answer:
        try:
            answered = _Answered.model_validate_json(text)
        except ValidationError:
            raise UnusableAnswer(f"{self._connection.address} does not speak the messages interface") from None
        used = [block.input for block in answered.content if block.type == "tool_use"]
        reply = json.dumps(used[0]) if used else "".join(block.text for block in answered.content)
        tokens = answered.usage
        cached = (tokens.cache_read_input_tokens or 0) + (tokens.cache_creation_input_tokens or 0)
        usage = Usage(requests=1, input_tokens=tokens.input_tokens + cached, output_tokens=tokens.output_tokens)
        return Answer(reply, usage, answered.stop_reason == "max_tokens")


def connect(models: Mapping[str, Path], device: Device) -> AnthropicMessages:
    """Return the client; it connects with the first request."""
    return AnthropicMessages(connection_of(device, _OFFICIAL))
