"""Profiles: the backend of each stage, and the models for its roles.

A profile may extend another: `extends = "starter"`. It then contains only the differences.
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import JsonValue, ValidationError

from pipeline.base.errors import UsageError
from pipeline.base.hardware import Hardware
from shared.documents.base import Frozen
from shared.mistakes import first_mistake, text_mistake
from shared.nearest import suggestion

AUTO = "auto"
_REPORTED_LESS = 0.3  # GiB: a card sold with 6 GB reports a little less


class ProfileStage(Frozen):
    """Backend and models of one stage. With `backend = "auto"`, the backend is chosen for each job.

    `models` maps the backend's roles to models; `languages` maps languages to models, of which a job gets the one for
    the spoken language. Roles in `spare` belong to other backends, or to a stage that the usual recipes do not have:
    the profile is complete without their models.
    """

    backend: str
    models: dict[str, str] = {}
    languages: dict[str, str] = {}
    spare: tuple[str, ...] = ()
    params: dict[str, JsonValue] = {}

    @property
    def needed(self) -> dict[str, str]:
        """Return the models that the profile needs to be complete, by role."""
        return {role: name for role, name in self.models.items() if role not in self.spare}

    @property
    def is_spare(self) -> bool:
        """Tell whether jobs do not need the stage unless they ask for it, because all of its models are spare."""
        return bool(self.models) and not self.needed


Accelerators = Literal["cuda", "mps", "mlx"]


class Suits(Frozen):
    """Machines that a profile is meant for: with enough memory, and with one of the accelerators or enough cores.

    `card_library` has to compute on an NVIDIA card, and `card_gib` is the memory that one of the cards must have.
    Without `cpus`, no number of cores replaces an accelerator. Without any condition, every machine suits.
    """

    accelerators: tuple[Accelerators, ...] = ()
    cpus: int | None = None
    memory_gib: float = 0.0
    card_library: str = ""
    card_gib: float = 0.0

    def accepts(self, hardware: Hardware) -> bool:
        """Tell whether the machine has enough memory, and an accelerator or enough cores."""
        if hardware.memory_gib is not None and hardware.memory_gib < self.memory_gib:
            return False
        found = {name for name in ("cuda", "mps", "mlx") if getattr(hardware, name)}
        if not self._accepts_cards(hardware):
            found.discard("cuda")
        if found & set(self.accelerators) or not (self.accelerators or self.cpus):
            return True
        return self.cpus is not None and hardware.cpus >= self.cpus

    def _accepts_cards(self, hardware: Hardware) -> bool:
        """Tell whether the library computes on cards, and a card has enough memory or does not report its size."""
        least_gib = self.card_gib - _REPORTED_LESS
        enough = any(card.memory_mib is None or card.memory_mib / 1024 >= least_gib for card in hardware.cuda)
        return enough and self.card_library not in hardware.card_problems

    def __str__(self) -> str:
        """Return the end of a sentence: `machines with CUDA or MPS, or 4 cores, and 7 GiB of memory`."""
        power = [" or ".join(name.upper() for name in self.accelerators)] if self.accelerators else []
        power += [f"{self.cpus} cores"] if self.cpus else []
        needs = [", or ".join(power)] if power else []
        needs += [f"{self.memory_gib:.0f} GiB of memory"] if self.memory_gib else []
        needs += [f"{self.card_gib:.0f} GiB on the card"] if self.card_gib else []
        return f"machines with {', and '.join(needs)}" if needs else "every machine"


class Profile(Frozen):
    """Named choice of backends and models. `auto` chooses the profile of the highest `rank` that suits the machine and
    has all of its models. With `local_models`, a server with this profile never fetches a model."""

    summary: str
    rank: int
    local_models: bool = False
    suits: Suits = Suits()
    stages: dict[str, ProfileStage]

    @property
    def models(self) -> tuple[str, ...]:
        """Return the names of the models that the profile needs to be complete."""
        return tuple(sorted({name for stage in self.stages.values() for name in stage.needed.values()}))

    @property
    def language_models(self) -> tuple[str, ...]:
        """Return the names of the models that are for a single language."""
        return tuple(sorted({name for stage in self.stages.values() for name in stage.languages.values()}))


@dataclass(frozen=True)
class ProfileChoice:
    """Chosen profile, with the name of a better one for this machine, if there is one, and the models it lacks."""

    name: str
    profile: Profile
    better: str | None = None
    better_needs: tuple[str, ...] = ()


def load_profiles(folder: Path) -> dict[str, Profile]:
    """Load all profiles by name, the best first. Raises `UsageError` for an invalid file."""
    tables = {path.stem: _read_table(path) for path in sorted(folder.glob("*.toml"))}
    profiles = {}
    for name in tables:
        try:
            profiles[name] = Profile.model_validate(_extended(name, tables, ()))
        except ValidationError as error:
            raise UsageError(
                "profile.invalid", f"{folder / name}.toml is not a profile: {first_mistake(error)}"
            ) from error
    return dict(sorted(profiles.items(), key=lambda item: -item[1].rank))


def _read_table(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError("profile.invalid", f"{path} is not TOML: {text_mistake(error)}") from error


def _extended(name: str, tables: Mapping[str, dict[str, Any]], below: tuple[str, ...]) -> dict[str, Any]:
    """Return a profile's table, merged into that of the profile that it extends. A stage with a backend replaces the
    other stage completely; without one, its values replace single values, and its models single roles."""
    table = dict(tables[name])
    base = table.pop("extends", None)
    if base is None:
        return table
    if base not in tables or base in (*below, name):
        known = ", ".join(sorted(tables))
        raise UsageError("profile.invalid", f"the profile {name} extends `{base}`; expected another of {known}")
    stages = dict(_extended(base, tables, (*below, name))["stages"])
    for stage, values in table.get("stages", {}).items():
        under = {} if "backend" in values else stages.get(stage, {})
        models = {**under.get("models", {}), **values.get("models", {})}
        stages[stage] = {**under, **values, **({"models": models} if models else {})}
    return {**table, "stages": stages}


def suggest_profile(profiles: Mapping[str, Profile], hardware: Hardware) -> str:
    """Return the name of the best profile that suits a machine; `profiles` are best first."""
    return next((name for name, profile in profiles.items() if profile.suits.accepts(hardware)), "")


def choose_profile(
    requested: str, profiles: Mapping[str, Profile], incomplete: Collection[str], unsuited: Collection[str] = ()
) -> ProfileChoice:
    """Return the profile `requested`; for `auto`, the best one whose models are complete, else the lowest.

    `profiles` are best first; `incomplete` are the models that are not complete, also for lack of a model that they
    need; `unsuited` are the profiles that are meant for other machines. Raises `UsageError`.
    """
    if requested != AUTO:
        if requested in profiles:
            return ProfileChoice(requested, profiles[requested])
        names = (AUTO, *profiles)
        hint = suggestion(requested, names, f"the profiles are {', '.join(names)}")
        raise UsageError("profile.unknown", f"there is no profile `{requested}`", hint=hint)
    lowest = list(profiles)[-1]
    suited = [name for name in profiles if name not in unsuited] or [lowest]
    chosen = next((name for name in suited if not set(profiles[name].models) & set(incomplete)), lowest)
    best = suited[0]
    if chosen == best:
        return ProfileChoice(chosen, profiles[chosen])
    needs = tuple(model for model in profiles[best].models if model in incomplete)
    return ProfileChoice(chosen, profiles[chosen], better=best, better_needs=needs)
