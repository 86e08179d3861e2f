"""The values of a plan: every step with its backend, parameters and sources. Pure."""

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
    """The media file itself."""


@dataclass(frozen=True)
class FromStep:
    """An output of an earlier step."""

    step: str
    role: str


@dataclass(frozen=True)
class FromCorrection:
    """A file of known content that no step makes: a correction of the published file `name`. It stands only where the
    transcript that the step takes is in one of `languages`; in any where none is named."""

    sha256: str
    name: str
    languages: tuple[str, ...] = ()


@dataclass(frozen=True)
class FromGlossary:
    """A file that the user gave with the job: its glossary. `content` is what was read when the plan was made."""

    sha256: str
    name: str
    content: bytes = field(repr=False)


@dataclass(frozen=True)
class FromPath:
    """A file of the user's, of known content, that is read when the work begins: a subtitle beside its film."""

    sha256: str
    path: Path

    @property
    def name(self) -> str:
        """Return its name, for people."""
        return self.path.name


@dataclass(frozen=True)
class FirstOf:
    """The first of these that exists: an optional output, then what it would replace."""

    sources: tuple[SingleSource, ...]


@dataclass(frozen=True)
class AllOf:
    """All of these that exist, in this order."""

    sources: tuple[SingleSource, ...]


SingleSource = FromMedia | FromStep | FromCorrection | FromGlossary | FromPath
Source = SingleSource | FirstOf | AllOf


@dataclass(frozen=True)
class ExistingSubtitle:
    """A subtitle file, or the text track of this number in the film. `language` is None if neither a name nor the user
    says it. `alone`: the media file is the subtitle, and there is no film. `found`: reel chose it, so it is not used if
    it cannot be read. `reason` says to the user why it is used.
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
        """Return the settings of stage `read`."""
        taken: dict[str, JsonValue] = {"language": self.language, "kind": self.kind, "strict": not self.found}
        return taken if self.track is None else {**taken, "track": self.track, "backend": "ffmpeg"}


@dataclass(frozen=True)
class CardLimit:
    """The fallback that a step begins with because its card is too small for more; memory in 10^6 bytes."""

    fallback: str
    asked_mb: float  # what the step takes as requested
    room_mb: float  # what a worker may take of the largest card


@dataclass(frozen=True)
class Step:
    """One stage with everything that decides its result but the content of its inputs."""

    id: str
    stage: Stage
    backend_name: str
    backend: Backend
    params: Params
    inputs: Mapping[str, Source]
    models: Mapping[str, str]  # role to the model's name
    language_models: Mapping[str, str] = field(default_factory=dict)  # by language, until the one spoken is known
    target: str | None = None
    fallback: Fallback | None = None  # in use since memory ran out; None: the step as requested
    placed: DeviceKind = "cpu"  # the device, unless the fallback names another
    off_card: str = ""  # why it does not compute on the machine's card, where its backend would
    card_limit: CardLimit | None = None  # None: the card has room for the step as requested, or that is not known
    choice: str = ""  # why this backend, where it was chosen for the job
    code: Mapping[str, Option] = field(default_factory=dict)  # pins what can run code in its models
    direction_models: Mapping[str, str] = field(
        default_factory=dict
    )  # by role; the language spoken says which it needs

    @property
    def device(self) -> DeviceKind:
        """Return the kind of device it computes on."""
        return (self.fallback.device if self.fallback else None) or self.placed

    @property
    def environment(self) -> str:
        """Return the environment that it computes in."""
        return (self.backend.card_environment if self.device == "cuda" else "") or self.backend.environment

    @property
    def environments(self) -> tuple[str, ...]:
        """Return its environment, and the one that it needs if the card fails."""
        return tuple(dict.fromkeys((self.environment, self.backend.environment)))

    @property
    def waits_for_language(self) -> bool:
        """Return whether the language spoken is still to decide which models it works with."""
        return bool(self.language_models or self.direction_models)

    @cached_property
    def load_options(self) -> Mapping[str, Option]:
        """Return the options that its backend loads with, beside models and device."""
        params = self.params.model_dump(mode="json", include=set(self.backend.load_params))
        return {**params, **self.code, **(self.fallback.options if self.fallback else {})}

    @cached_property
    def needs(self) -> frozenset[str]:
        """Return the ids of the steps whose outputs this one takes."""
        return frozenset(source.step for source in single_sources(self.inputs) if isinstance(source, FromStep))


@dataclass(frozen=True)
class Publication:
    """A result to publish under a name as in a recipe, see `pipeline.plan.recipe.PublishRule`."""

    step: str
    role: str
    name: str
    corrects: str = ""  # `step.role` where a correction has come between

    @property
    def origin(self) -> str:
        """Return the `step.role` of a published document as it is named without corrections."""
        return self.corrects or f"{self.step}.{self.role}"


@dataclass(frozen=True)
class Plan:
    """The steps in an order in which each comes after what it needs. Those in `again` are done even if their results
    are in the store. Of a `partial` plan nothing is published: it lacks the last steps, or its recipe publishes
    nothing."""

    recipe: str
    profile: str
    steps: tuple[Step, ...]
    publications: tuple[Publication, ...]
    again: frozenset[str] = frozenset()
    partial: bool = False

    @cached_property
    def depths(self) -> Mapping[str, int]:
        """Return how many steps come before each, on the longest way to it."""
        found: dict[str, int] = {}
        for step in self.steps:
            found[step.id] = max((found[needed] + 1 for needed in step.needs), default=0)
        return found


def takes_several(record: type[Frozen], name: str) -> bool:
    """Return whether a field takes a tuple: a role several files, a parameter several values."""
    annotation = record.model_fields[name].annotation
    options = get_args(annotation) if isinstance(annotation, UnionType) else (annotation,)
    return any(isinstance(option, GenericAlias) and get_origin(option) is tuple for option in options)


def single_sources(inputs: Mapping[str, Source]) -> list[SingleSource]:
    """Return every name in the inputs, one by one."""
    found: list[SingleSource] = []
    for source in inputs.values():
        found += source.sources if isinstance(source, FirstOf | AllOf) else (source,)
    return found


def models_used(step: Step, ingredients: Mapping[str, JsonValue]) -> dict[str, str]:
    """Return the models that a result was made with, by role."""
    roles = ingredients.get("models")
    known = {**step.language_models, **step.direction_models, **step.models}
    return {role: known[role] for role in roles if role in known} if isinstance(roles, dict) else dict(step.models)
