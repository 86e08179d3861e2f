"""Makes the plan for a media file from the settings, the profile, and the models in the cache."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import JsonValue

from pipeline.base.errors import BadInput
from pipeline.base.hardware import Hardware
from pipeline.base.project import CONFIG
from pipeline.base.settings import Settings, with_overrides
from pipeline.model_cache.cache import ModelCache
from pipeline.plan.language_checks import check_languages
from pipeline.plan.language_tables import load_error_rates, load_languages
from pipeline.plan.make_plan import make_plan
from pipeline.plan.model import ExistingSubtitle, FromGlossary, Plan
from pipeline.plan.model_overrides import apply_model_overrides
from pipeline.plan.options import PlanOptions
from pipeline.plan.placement import choose_device
from pipeline.plan.profile import ProfileChoice, choose_profile, load_profiles
from pipeline.plan.recipe import load_recipe
from pipeline.plan.registry import ASSEMBLE, BILINGUAL, FIT, PARAMETERS, STAGES, SUBTITLE
from pipeline.plan.selection import ALL_STEPS, Selection
from pipeline.plan.subtitle_guides import load_guide
from pipeline.publishing.beside import FORMATS
from pipeline.workers.card_memory import card_room_mb
from pipeline.workers.installation import chosen_device
from shared.documents.base import DocumentError
from shared.files import read_regular
from shared.stage import CORE_ENVIRONMENT, DeviceKind
from shared.text.glossary import Glossary

_BILINGUAL_FORMATS = frozenset({"srt", "vtt", "ass"})


@dataclass(frozen=True)
class Planner:
    """Makes plans. `hardware` is the usable part of the machine, `selection` the steps that the user asks for, and
    `subtitle` the existing subtitle that is used instead of recognition."""

    settings: Settings
    profile: ProfileChoice
    models: ModelCache
    hardware: Hardware
    selection: Selection = ALL_STEPS
    subtitle: ExistingSubtitle | None = None

    @property
    def device(self) -> DeviceKind:
        """Return the kind of device for every backend that supports it."""
        return chosen_device(self.settings, self.hardware)

    def with_overrides(self, overrides: Mapping[str, JsonValue]) -> Planner:
        """Return the planner with the settings of one media file; `overrides` maps dotted names to values."""
        settings = with_overrides(self.settings, overrides, PARAMETERS)
        profile = self.profile
        if "profile" in overrides:
            profile = _chosen_profile(settings.profile, self.models, self.hardware)
        return replace(self, settings=settings, profile=_apply_model_overrides(profile, settings, self.models))

    def plan(self) -> Plan:
        """Return the plan for a media file under these settings; it is the same for each file."""
        plan = make_plan(load_recipe(self.settings.recipe, CONFIG / "recipes"), self.options())
        check_languages(plan, self.settings.to)
        return self.selection.of(plan)

    def options(self) -> PlanOptions:
        """Return the options of a plan that come from the user and the profile."""
        return PlanOptions(
            recipe_name=self.settings.recipe,
            profile_name=self.profile.name,
            profile=self.profile.profile,
            targets=self.settings.to,
            stages=_stages(self.settings),
            stub=self.settings.stub,
            film=self.settings.makes_film,
            defaults={SUBTITLE: {"formats": list(FORMATS)}} if self.settings.beside else {},
            guide=load_guide(self.settings.guide, CONFIG / "guides").params,
            languages=load_languages(CONFIG / "languages"),
            error_rates=load_error_rates(CONFIG / "error_rates.toml"),
            glossary=load_glossary(self.settings.glossary),
            subtitle=self.subtitle,
            device=self.device,
            card_problems=self.hardware.card_problems if self.settings.chooses_device else {},
            incomplete=self.models.incomplete_with_needs(self.models.models),
            card_room_mb=card_room_mb(self.hardware.cuda),
            sizes={name: locked.size for name, locked in self.models.locked.items()},
            files={
                name: {file: entry.sha256 for file, entry in locked.files.items()}
                for name, locked in self.models.locked.items()
            },
        )

    def environments(self) -> tuple[str, ...]:
        """Return the environments that jobs with this profile always need, without that of the core."""
        backends = [
            STAGES[name].backends[filled.backend]
            for name, filled in self.profile.profile.stages.items()
            if name in STAGES and filled.backend in STAGES[name].backends and not filled.is_spare
        ]
        problems = self.hardware.card_problems if self.settings.chooses_device else {}
        families: dict[str, None] = {}
        for backend in backends:
            families[backend.environment] = None
            if backend.card_environment and choose_device(backend, self.device, problems) == "cuda":
                families[backend.card_environment] = None
        return tuple(family for family in families if family != CORE_ENVIRONMENT)


def _stages(settings: Settings) -> dict[str, dict[str, JsonValue]]:
    """Return the settings of stages, completed by general settings that concern a stage."""
    stages = dict(settings.stages)
    if settings.bilingual:
        chosen = stages.get(SUBTITLE, {}).get("formats") or (list(FORMATS) if settings.beside else None)
        names = chosen.split(",") if isinstance(chosen, str) else chosen if isinstance(chosen, list) else []
        supported = [name for name in names if name in _BILINGUAL_FORMATS]
        formats: dict[str, JsonValue] = {"formats": list[JsonValue](supported)} if supported else {}
        backend = next(iter(STAGES[BILINGUAL].backends))
        stages[BILINGUAL] = {"backend": backend, "order": settings.bilingual, **formats, **stages.get(BILINGUAL, {})}
    if (fill := stages.get(ASSEMBLE, {}).get("fill")) is not None:  # `fit` recognises the gaps that `assemble` fills
        stages[FIT] = {"fill": fill, **stages.get(FIT, {})}
    return stages


def open_planner(settings: Settings, models: ModelCache, hardware: Hardware) -> Planner:
    """Return the planner for these settings, with the best profile that the models and the hardware allow."""
    profile = _chosen_profile(settings.profile, models, hardware)
    return Planner(settings, _apply_model_overrides(profile, settings, models), models, hardware)


def _chosen_profile(requested: str, models: ModelCache, hardware: Hardware) -> ProfileChoice:
    profiles = load_profiles(CONFIG / "profiles")
    missing = models.incomplete_with_needs(models.models)
    unsuited = [name for name, profile in profiles.items() if not profile.suits.accepts(hardware)]
    return choose_profile(requested, profiles, missing, unsuited)


def _apply_model_overrides(profile: ProfileChoice, settings: Settings, models: ModelCache) -> ProfileChoice:
    return apply_model_overrides(profile, settings.stages, models.problem)


def load_glossary(name: str) -> FromGlossary | None:
    """Read and check the glossary in the file `name`; returns None without a name. Raises `BadInput`."""
    if not name:
        return None
    path = Path(name)
    try:
        content = read_regular(path)
        Glossary.parse(content, str(path))
    except DocumentError as error:
        raise BadInput("glossary.invalid", str(error), hint="docs/reference/files.md tells what it holds") from error
    except OSError as error:
        why = error.strerror or str(error)
        hint = "check the spelling; a glossary is a table of terms, in a TOML or CSV file"
        raise BadInput("glossary.unreadable", f"the glossary {path} cannot be read: {why}", hint=hint) from error
    return FromGlossary(hashlib.sha256(content).hexdigest(), path.name, content)
