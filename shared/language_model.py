"""Parameters of language models, and the expected and the actual cost of a job."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from pydantic import Field

from shared.documents.base import Frozen
from shared.stage import Backend, Fact, Params, Resources, Service

_CHARACTERS_PER_TOKEN = 3.5  # of Latin scripts, in present tokenizers
_OTHER_CHARACTERS_PER_TOKEN = 1.5
_INSTRUCTIONS = 350  # tokens before each window
_PER_LINE = 12  # tokens around each text: its id, its speaker, quotation marks


class LanguageModelParams(Params):
    """The model, its address, the size of a request, and the limits on retries."""

    model: str = Field("", description="the name that the service has for the model; a local model needs none")
    address: str = Field("", description="where the service is, up to `/v1`; empty: the provider's own address")
    instructions: str = Field("", description="further instructions for the model, in your words")
    window: int = Field(30, ge=1, le=400, description="lines in a request")
    context: int = Field(6, ge=0, le=100, description="lines before and after that the request shows as context")
    attempts: int = Field(5, ge=1, le=20, description="attempts for a request")
    timeout_s: float = Field(120.0, gt=0, le=3600, description="seconds to wait for an answer")
    at_once: int = Field(4, ge=1, le=64, description="requests at the same time")
    input_price: float = Field(0.0, ge=0, description="price of a million tokens sent; 0: not known")
    output_price: float = Field(0.0, ge=0, description="price of a million tokens received; 0: not known")


LANGUAGE_MODEL_PARAMS = tuple(LanguageModelParams.model_fields)
"""The names of these parameters. They have no effect on a backend without a language model."""

_CONNECTION = ("model", "address", "timeout_s")  # needed to reach the service, when the backend is loaded
_PACE = ("timeout_s", "attempts", "at_once", "input_price", "output_price")  # these do not change an answer


def language_model_backends(stage: str, *neutral: str) -> dict[str, Backend]:
    """Return the backends of a stage that asks a language model. `neutral` are the parameters of its other backends."""
    asked = partial(
        Backend,
        environment="llm",
        resources=Resources(cpus=1, memory_gib=0.5, time_base_s=600.0, time_per_media_s=4.0),
        load_params=_CONNECTION,
        neutral_params=(*_PACE, *neutral),
    )
    return {
        "openai": asked(
            module=f"stages.{stage}.openai_chat",
            summary="a language model behind any address that speaks OpenAI's chat interface, on this machine or not",
            licence_note="the text is sent to the address you configure, under that service's terms",
            service=Service("https://api.openai.com/v1", "OPENAI_API_KEY"),
        ),
        "llama-cpp": Backend(
            module=f"stages.{stage}.llama_cpp",
            environment="llm",
            accelerators=("mps",),
            summary="a language model on this machine, by llama.cpp; nothing is sent anywhere",
            models=("model",),
            resources=Resources(cpus=2, memory_gib=2.0, gpu_memory_gib=3.0, time_base_s=600.0, time_per_media_s=60.0),
            neutral_params=("model", "address", *_PACE, *neutral),
        ),
        "anthropic": asked(
            module=f"stages.{stage}.anthropic_messages",
            summary="a language model of Anthropic",
            licence_note="the text is sent to Anthropic, under its terms",
            service=Service("https://api.anthropic.com", "ANTHROPIC_API_KEY"),
        ),
    }


class Usage(Frozen):
    """Requests made of a language model, and tokens sent and received. A stage notes them under these names."""

    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            requests=self.requests + other.requests,
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
        )

    @classmethod
    def from_facts(cls, facts: Mapping[str, Fact]) -> Usage:
        """Return the usage in a result's facts; zero if its stage asked no language model."""
        return cls.model_validate({name: facts[name] for name in cls.model_fields if facts.get(name)})

    def note(self, note: Callable[[str, Fact], None], params: LanguageModelParams) -> None:
        """Note the usage and its cost with a result."""
        for name, count in self.model_dump().items():
            note(name, count)
        note("cost", self.cost(params))

    def cost(self, params: LanguageModelParams) -> float | None:
        """Return the cost at the user's prices, in their currency; None without prices."""
        if not params.input_price and not params.output_price:
            return None
        cost = (self.input_tokens * params.input_price + self.output_tokens * params.output_price) / 1e6
        return round(cost, 6)


NO_USAGE = Usage()


def tokens_in(text: str) -> float:
    """Estimate the number of tokens of a text. Tokenizers differ by a third and more."""
    latin = sum(character < "\u0250" for character in text)
    return latin / _CHARACTERS_PER_TOKEN + (len(text) - latin) / _OTHER_CHARACTERS_PER_TOKEN


def expected_usage(lines: int, text_tokens: float, params: LanguageModelParams) -> Usage:
    """Return the usage to expect for lines and tokens, if every request succeeds the first time."""
    if not lines:
        return Usage()
    requests = -(-lines // params.window)
    shown = min(params.window + 2 * params.context, lines) / min(params.window, lines)
    framed = text_tokens + lines * _PER_LINE
    return Usage(
        requests=requests, input_tokens=round(requests * _INSTRUCTIONS + framed * shown), output_tokens=round(framed)
    )
