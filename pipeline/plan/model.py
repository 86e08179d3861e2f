"""The values of a plan: its steps, each with its backend, parameters and sources, and what it publishes. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import GenericAlias, UnionType
from typing import get_args, get_origin

from pydantic import JsonValue

from shared.documents.base import Frozen
from shared.documents.cue import Kind
from shared.stage import Backend, DeviceKind, Fallback, Option, Params, Stage


@dataclass(frozen=True)
class FromMedia:
    """Source: the media file itself."""


@dataclass(frozen=True)
class FromStep:
    """Source: an output of an earlier step."""

    step: str
    role: str


@dataclass(frozen=True)
class FromCorrection:
    """Source: a correction of the published file `name`, by its digest. It is used only if the transcript that the step
    takes is in one of `languages`; in any language if there are none."""

    sha256: str
    name: str
    languages: tuple[str, ...] = ()


@dataclass(frozen=True)
class FromGlossary:
    """Source: the glossary of the job. `content` was read when the plan was made."""

    sha256: str
    name: str
    content: bytes = field(repr=False)


@dataclass(frozen=True)
class FromPath:
    """Source: a file of the user, by its path and digest, that is read when the run begins: a subtitle file."""

    sha256: str
    path: Path

    @property
    def name(self) -> str:
        """Return the name of the file."""
        return self.path.name


@dataclass(frozen=True)
class FirstOf:
    """Source: the first of these that exists, for example an optional output, then the one that it replaces."""

    sources: tuple[SingleSource, ...]


@dataclass(frozen=True)
class AllOf:
    """Source: all of these that exist, in this order."""

    sources: tuple[SingleSource, ...]


SingleSource = FromMedia | FromStep | FromCorrection | FromGlossary | FromPath
Source = SingleSource | FirstOf | AllOf


@dataclass(frozen=True)
class ExistingSubtitle:
    """Existing subtitle to use instead of recognition: a subtitle file, or the text track `track` of the film.

    `language` is None if neither its name nor the user states it. With `alone`, the media file is the subtitle, and
    there is no film. With `found`, reel chose it, so it is not used if it cannot be read. `reason` is the sentence for
    the user.
    """

    source: FromPath | FromMedia
    language: str | None
    kind: Kind = "full"
    track: int | None = None
    alone: bool = False
    found: bool = False
    reason: str = ""

    @property
    def params(self) -> dict[str, JsonValue]:
        """Return the settings of stage `read` for this subtitle."""
        params: dict[str, JsonValue] = {"language": self.language, "kind": self.kind, "strict": not self.found}
        return params if self.track is None else {**params, "track": self.track, "backend": "ffmpeg"}


@dataclass(frozen=True)
class CardLimit:
    """Fallback that a step begins with, because the largest card is too small for the step as requested. Memory is in
    10^6 bytes."""

    fallback: str
    asked_mb: float  # needed by the step as requested
    room_mb: float  # of the largest card, for one worker


@dataclass(frozen=True)
class Step:
    """One stage of a job, with everything that decides its result except for the content of its inputs."""

    id: str
    stage: Stage
    backend_name: str
    backend: Backend
    params: Params
    inputs: Mapping[str, Source]
    models: Mapping[str, str]  # role to the model's name
    language_models: Mapping[str, str] = field(default_factory=dict)  # by language, until the spoken one is known
    target: str | None = None  # language
    fallback: Fallback | None = None  # None: the step as requested
    placed: DeviceKind = "cpu"  # the device, unless the fallback names another
    off_card: str = ""  # why the step does not compute on the machine's card, although its backend supports that
    card_limit: CardLimit | None = None  # None: the card has room for the step as requested, or that is not known
    choice: str = ""  # why the backend was chosen, if it was chosen for the job
    code: Mapping[str, Option] = field(default_factory=dict)  # pins of the Python code in its models
    direction_models: Mapping[str, str] = field(default_factory=dict)  # by role, until the spoken language is known

    @property
    def device(self) -> DeviceKind:
        """Return the kind of device that the step computes on."""
        return (self.fallback.device if self.fallback else None) or self.placed

    @property
    def environment(self) -> str:
        """Return the environment that the step computes in."""
        return (self.backend.card_environment if self.device == "cuda" else "") or self.backend.environment

    @property
    def environments(self) -> tuple[str, ...]:
        """Return the environment of the step, and the one that it needs if the card fails."""
        return tuple(dict.fromkeys((self.environment, self.backend.environment)))

    @property
    def waits_for_language(self) -> bool:
        """Tell whether the spoken language, which is not known yet, decides on the models of the step."""
        return bool(self.language_models or self.direction_models)

    @cached_property
    def load_options(self) -> Mapping[str, Option]:
        """Return the options for loading the backend, without the models and the device."""
        params = self.params.model_dump(mode="json", include=set(self.backend.load_params))
        return {**params, **self.code, **(self.fallback.options if self.fallback else {})}

    @cached_property
    def needs(self) -> frozenset[str]:
        """Return the ids of the steps whose outputs this step takes."""
        return frozenset(source.step for source in single_sources(self.inputs) if isinstance(source, FromStep))


@dataclass(frozen=True)
class Publication:
    """Output of a step to publish, with the name that the recipe gives it: see `pipeline.plan.recipe.PublishRule`."""

    step: str
    role: str
    name: str
    corrects: str = ""  # `step.role` of the output without corrections, if there are corrections

    @property
    def origin(self) -> str:
        """Return the `step.role` that the output has without corrections."""
        return self.corrects or f"{self.step}.{self.role}"


@dataclass(frozen=True)
class Plan:
    """Steps of a job, each after those that it needs, and what is published.

    The steps in `again` run even if their results are in the store. A `partial` plan publishes nothing: its last steps
    are left out, or its recipe publishes nothing.
    """

    recipe: str
    profile: str
    steps: tuple[Step, ...]
    publications: tuple[Publication, ...]
    again: frozenset[str] = frozenset()
    partial: bool = False

    @cached_property
    def depths(self) -> Mapping[str, int]:
        """Return for each step the number of steps on the longest path to it."""
        found: dict[str, int] = {}
        for step in self.steps:
            found[step.id] = max((found[needed] + 1 for needed in step.needs), default=0)
        return found


def takes_several(record: type[Frozen], name: str) -> bool:
    """Tell whether a field is a tuple: a role with several files, or a parameter with several values."""
    annotation = record.model_fields[name].annotation
    options = get_args(annotation) if isinstance(annotation, UnionType) else (annotation,)
    return any(isinstance(option, GenericAlias) and get_origin(option) is tuple for option in options)


def single_sources(inputs: Mapping[str, Source]) -> list[SingleSource]:
    """Return all sources in the inputs, with those inside `FirstOf` and `AllOf`."""
    found: list[SingleSource] = []
    for source in inputs.values():
        found += source.sources if isinstance(source, FirstOf | AllOf) else (source,)
    return found


def models_used(step: Step, ingredients: Mapping[str, JsonValue]) -> dict[str, str]:
    """Return the models that made a result with these ingredients, by role."""
    roles = ingredients.get("models")
    known = {**step.language_models, **step.direction_models, **step.models}
    return {role: known[role] for role in roles if role in known} if isinstance(roles, dict) else dict(step.models)
