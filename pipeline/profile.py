"""Profiles: which backend does each stage's work, and which models fill its roles."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue, ValidationError

from pipeline.errors import UsageError
from shared.document import Frozen

AUTO = "auto"


class ProfileStage(Frozen):
    """How a profile fills one stage. `backend = "auto"` leaves the choice to what the job needs."""

    backend: str
    models: dict[str, str] = {}
    params: dict[str, JsonValue] = {}


class Profile(Frozen):
    """A named choice of backends and models; of two that are complete, `auto` takes the one of higher `rank`."""

    summary: str
    rank: int
    stages: dict[str, ProfileStage]

    @property
    def models(self) -> tuple[str, ...]:
        """The models that some stage of this profile may need, by name."""
        return tuple(sorted({name for stage in self.stages.values() for name in stage.models.values()}))


@dataclass(frozen=True)
class ProfileChoice:
    """The profile taken, and what a better one would need (empty when there is none better)."""

    name: str
    profile: Profile
    better: str | None = None
    better_needs: tuple[str, ...] = ()


def load_profiles(folder: Path) -> dict[str, Profile]:
    """All profiles by name, best first. Raises `UsageError` for a file that is none."""
    profiles = {}
    for path in sorted(folder.glob("*.toml")):
        try:
            profiles[path.stem] = Profile.model_validate(tomllib.loads(path.read_text()))
        except (tomllib.TOMLDecodeError, ValidationError) as error:
            raise UsageError("profile.invalid", f"{path} is not a profile: {error}") from error
    return dict(sorted(profiles.items(), key=lambda item: -item[1].rank))


def choose_profile(wanted: str, profiles: Mapping[str, Profile], incomplete: Mapping[str, str]) -> ProfileChoice:
    """The profile `wanted`; for `auto`, the best one none of whose models is `incomplete`, else the lowest.

    `incomplete` maps the names of models that are not complete to what is wrong with them.
    """
    if wanted != AUTO:
        if wanted in profiles:
            return ProfileChoice(wanted, profiles[wanted])
        raise UsageError(
            "profile.unknown", f"there is no profile `{wanted}`", hint=f"the profiles are auto, {', '.join(profiles)}"
        )
    best, *others = profiles
    for name in (best, *others):
        if not any(model in incomplete for model in profiles[name].models) or name == (others or [best])[-1]:
            if name == best:
                return ProfileChoice(name, profiles[name])
            needs = tuple(model for model in profiles[best].models if model in incomplete)
            return ProfileChoice(name, profiles[name], better=best, better_needs=needs)
    raise AssertionError("the last profile is always taken")
