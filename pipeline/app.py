"""Builds the objects that commands work with, once, from the settings."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from pydantic import JsonValue

from pipeline.base.card_support import TORCH, computes_on_cards, load_card_libraries, usable_hardware
from pipeline.base.hardware import REMEMBERED, Hardware, recall
from pipeline.base.project import CONFIG, Project, home_folder, open_project
from pipeline.base.settings import Settings, with_overrides
from pipeline.base.wait_limit import wait_limit_s
from pipeline.environments.environments import Environments, load_families
from pipeline.environments.ffmpeg import FFMPEG, Tool, Tools
from pipeline.environments.torch_build import choose_torch, wheel_folders
from pipeline.model_cache.cache import ModelCache
from pipeline.model_cache.hub_token import find_token
from pipeline.model_cache.manifest import load_manifest
from pipeline.model_cache.user_models import OwnModels, load_own
from pipeline.plan.glossary import load_glossary
from pipeline.plan.language_tables import load_languages
from pipeline.plan.languages_asked import check_languages
from pipeline.plan.make_plan import Choices, make_plan
from pipeline.plan.model import Plan
from pipeline.plan.model_overrides import with_chosen_models
from pipeline.plan.profile import ProfileChoice, choose_profile, load_profiles
from pipeline.plan.recipe import load_recipe
from pipeline.plan.registry import PARAMETERS, STAGES, SUBTITLE
from pipeline.plan.result_key import Surroundings
from pipeline.plan.subtitle_guides import load_guide
from pipeline.publishing.beside import FORMATS
from pipeline.publishing.edits import EditStore
from pipeline.store.results import ResultStore
from pipeline.store.store_lock import Waiting
from pipeline.store.worker_stats import Measurements
from shared.environment_manager import hub_endpoint
from shared.stage import CORE_ENVIRONMENT, DeviceKind


@dataclass(frozen=True)
class App:
    """Parts of one project. `tool` is the ffmpeg that stages get, `hardware` the machine as remembered, `own` the
    user's own models."""

    settings: Settings
    project: Project
    environments: Environments
    models: ModelCache
    tools: Tools
    tool: Tool
    store: ResultStore
    edits: EditStore
    profile: ProfileChoice
    hardware: Hardware
    own: OwnModels

    @property
    def device(self) -> DeviceKind:
        """Return the kind of device for every backend that supports it: the user's choice, else the machine's best."""
        if self.settings.device != "auto":
            return self.settings.device
        return self.hardware.device if self.settings.chooses_device else "cpu"

    def surroundings(self) -> Surroundings:
        """Return the digests of everything that a step may run with."""
        families = (CORE_ENVIRONMENT, *self.environments.families)
        return Surroundings(
            environments={family: self.environments.digest(family) for family in families},
            models={name: self.models.digest(name) for name in self.models.models},
            tools={FFMPEG: self.tool.version},
            torch={
                family: torch for family in self.environments.families if (torch := self.environments.torch(family))
            },
            fallbacks=Measurements(self.project.results).fallbacks,
            at_hand=frozenset(
                name for name in self.profile.profile.language_models if self.models.problem(name) is None
            ),
        )

    def waiting(self, tell: Callable[[str], None]) -> Waiting:
        """Return the limit for waiting for the result store. `tell` receives a text about the process that holds it."""
        return Waiting(wait_limit_s(self.settings.wait), tell)

    def choices(self) -> Choices:
        """Return the options of a plan that come from the user and the profile."""
        return Choices(
            recipe_name=self.settings.recipe,
            profile_name=self.profile.name,
            profile=self.profile.profile,
            targets=self.settings.to,
            stages=self.settings.stages,
            stub=self.settings.stub,
            film=self.settings.makes_film,
            defaults={SUBTITLE: {"formats": list(FORMATS)}} if self.settings.beside else {},
            guide=load_guide(self.settings.guide, CONFIG / "guides").params,
            languages=load_languages(CONFIG / "languages"),
            glossary=load_glossary(self.settings.glossary),
            device=self.device,
            device_is_named=self.settings.device != "auto",
            card_problems=self.hardware.card_problems if self.settings.chooses_device else {},
            incomplete=self.models.lacking(self.models.models),
            files={
                name: {file: entry.sha256 for file, entry in locked.files.items()}
                for name, locked in self.models.locked.items()
            },
        )

    def needed_environments(self) -> tuple[str, ...]:
        """Return the environments that jobs with this profile always need, with that of the tool if it has one."""
        backends = [
            STAGES[name].backends[filled.backend]
            for name, filled in self.profile.profile.stages.items()
            if filled.backend in STAGES[name].backends and not filled.is_spare
        ]
        families = dict.fromkeys(backend.environment for backend in backends)
        tool = (self.tool.family,) if self.tool.family else ()
        return (*tool, *(family for family in families if family != CORE_ENVIRONMENT))

    def changed(self, overrides: Mapping[str, JsonValue]) -> App:
        """Return the project with the settings of one media file; `overrides` maps dotted names to values."""
        settings = with_overrides(self.settings, overrides, PARAMETERS)
        profile = self.profile
        if "profile" in overrides:
            profile = _profile(settings.profile, self.models, self.hardware)
        profile = with_chosen_models(profile, settings.stages, self.models.problem)
        return replace(self, settings=settings, profile=profile)

    def plan(self) -> Plan:
        """Return the plan for a media file under these settings; it is the same for each file."""
        plan = make_plan(load_recipe(self.settings.recipe, CONFIG / "recipes"), self.choices())
        check_languages(plan, self.settings.to)
        return plan


def open_app(settings: Settings) -> App:
    """Return the parts of the project that `settings` describe. Reads the disk, and writes only caches to it."""
    project = open_project(settings)
    families = load_families(CONFIG / "environments.toml")
    machine, libraries = recall(CONFIG / REMEMBERED, os.environ.get("PATH")), load_card_libraries(CONFIG / "cards.toml")
    hardware = usable_hardware(machine, libraries, os.environ)
    # A variable that hides a card for one run must not have every environment with torch built again.
    has_card = settings.device == "cuda" or computes_on_cards(machine, TORCH, libraries)
    torch = choose_torch(settings.torch, has_card, wheel_folders(settings.torch_wheels, os.environ))
    environments = Environments(project.environments, CONFIG / "environments", project.cache, families, torch)
    manifest, locked = load_manifest(CONFIG / "models.toml", CONFIG / "models.lock.json")
    hub = hub_endpoint(os.environ, settings.hub)
    own = load_own(project.own_models, manifest)
    everything = {**manifest, **own.models}, {**locked, **own.locked}
    models = ModelCache(project.cache, *everything, hub, token=lambda: find_token(os.environ, CONFIG, home_folder()))
    tools = Tools(project.scratch, environments, os.environ.get("PATH"), settings.ffmpeg)
    return App(
        settings=settings,
        project=project,
        environments=environments,
        models=models,
        tools=tools,
        tool=tools.choose(),
        store=ResultStore(project.results, project.index),
        edits=EditStore(project.results / "edits"),
        profile=with_chosen_models(_profile(settings.profile, models, hardware), settings.stages, models.problem),
        hardware=hardware,
        own=own,
    )


def _profile(wanted: str, models: ModelCache, hardware: Hardware) -> ProfileChoice:
    profiles = load_profiles(CONFIG / "profiles")
    lacking = models.lacking(models.models)
    unsuited = [name for name, profile in profiles.items() if not profile.suits.accepts(hardware)]
    return choose_profile(wanted, profiles, lacking, unsuited)
