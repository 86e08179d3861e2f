"""Profiles: the backend of each stage, and the models that fill its roles.

A profile may extend another: `extends = "starter"`. It then states only what differs.
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
_UNDER = 0.3  # GiB that a card sold as 6 GB tells less


class ProfileStage(Frozen):
    """How a profile fills one stage. `backend = "auto"` leaves the choice to what the job needs.

    `models` fills the backend's roles; `languages` names models of which a job gets the one for the language spoken.
    Roles in `spare` are of other backends, or of a stage that no usual recipe has: the profile is complete without.
    """

    backend: str
    models: dict[str, str] = {}
    languages: dict[str, str] = {}
    spare: tuple[str, ...] = ()
    params: dict[str, JsonValue] = {}

    @property
    def needed(self) -> dict[str, str]:
        """Return the models that the profile is not complete without, by role."""
        return {role: name for role, name in self.models.items() if role not in self.spare}

    @property
    def is_spare(self) -> bool:
        """Return whether jobs do without the stage, unless they ask for it: all of its models are spare."""
        return bool(self.models) and not self.needed


Accelerators = Literal["cuda", "mps", "mlx"]


class Suits(Frozen):
    """The machines that a profile is meant for: enough memory, and one of the accelerators or else enough processors.

    `card_library` has to compute on an NVIDIA card, and `card_gib` is the memory that one of them must have. Without
    `cpus` no number of processors replaces an accelerator; without anything, every machine suits.
    """

    accelerators: tuple[Accelerators, ...] = ()
    cpus: int | None = None
    memory_gib: float = 0.0
    card_library: str = ""
    card_gib: float = 0.0

    def accepts(self, hardware: Hardware) -> bool:
        """Return whether the machine has enough memory, and an accelerator or enough cores."""
        if hardware.memory_gib is not None and hardware.memory_gib < self.memory_gib:
            return False
        found = {name for name in ("cuda", "mps", "mlx") if getattr(hardware, name)}
        if not self._accepts_cards(hardware):
            found.discard("cuda")
        if found & set(self.accelerators) or not (self.accelerators or self.cpus):
            return True
        return self.cpus is not None and hardware.cpus >= self.cpus

    def _accepts_cards(self, hardware: Hardware) -> bool:
        """Tell whether the library computes, on a card with enough memory; one that tells none is given the benefit."""
        enough = any(
            card.memory_mib is None or card.memory_mib / 1024 >= self.card_gib - _UNDER for card in hardware.cuda
        )
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
    """A named choice of backends and models. `auto` takes the one of highest `rank` that suits the machine and whose
    models are complete. `local_models`: a server with this profile never fetches a model."""

    summary: str
    rank: int
    local_models: bool = False
    suits: Suits = Suits()
    stages: dict[str, ProfileStage]

    @property
    def models(self) -> tuple[str, ...]:
        """Return the models that some stage of this profile may need, by name."""
        return tuple(sorted({name for stage in self.stages.values() for name in stage.needed.values()}))

    @property
    def language_models(self) -> tuple[str, ...]:
        """Return the models that improve the stage, each for one language."""
        return tuple(sorted({name for stage in self.stages.values() for name in stage.languages.values()}))


@dataclass(frozen=True)
class ProfileChoice:
    """The profile taken, and what a better one would need (empty when there is none better)."""

    name: str
    profile: Profile
    better: str | None = None
    better_needs: tuple[str, ...] = ()


def load_profiles(folder: Path) -> dict[str, Profile]:
    """Load all profiles by name, best first. Raises `UsageError` for a file that is not a profile."""
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
    """Return a profile's table over that of the profile that it extends. A stage that names its backend replaces the
    stage below; otherwise its values replace single values, and its models single roles."""
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
    wanted: str, profiles: Mapping[str, Profile], incomplete: Collection[str], unsuited: Collection[str] = ()
) -> ProfileChoice:
    """Return the profile `wanted`; for `auto`, the best one whose models are complete, else the lowest.

    `profiles` are best first; `incomplete` are the models that are not whole or lack what they need, `unsuited` the
    profiles that are meant for other machines. Raises `UsageError`.
    """
    if wanted != AUTO:
        if wanted in profiles:
            return ProfileChoice(wanted, profiles[wanted])
        names = (AUTO, *profiles)
        hint = suggestion(wanted, names, f"the profiles are {', '.join(names)}")
        raise UsageError("profile.unknown", f"there is no profile `{wanted}`", hint=hint)
    lowest = list(profiles)[-1]
    suited = [name for name in profiles if name not in unsuited] or [lowest]
    chosen = next((name for name in suited if not set(profiles[name].models) & set(incomplete)), lowest)
    best = suited[0]
    if chosen == best:
        return ProfileChoice(chosen, profiles[chosen])
    needs = tuple(model for model in profiles[best].models if model in incomplete)
    return ProfileChoice(chosen, profiles[chosen], better=best, better_needs=needs)
