"""Open the installed parts of a project, with which stages run: its folders, environments, models and ffmpeg."""

from __future__ import annotations

import os
from dataclasses import dataclass

from pipeline.base.card_support import TORCH, computes_on_cards, load_card_libraries, usable_hardware
from pipeline.base.hardware import REMEMBERED, Hardware, cards_key, recall
from pipeline.base.project import CONFIG, ProjectFolders, home_folder, own_config, project_folders
from pipeline.base.settings import Settings
from pipeline.environments.environments import Environments
from pipeline.environments.families import load_families
from pipeline.environments.ffmpeg import Tool, Tools
from pipeline.environments.torch_build import choose_torch, wheel_folders
from pipeline.model_cache.cache import ModelCache
from pipeline.model_cache.hub_token import find_token
from pipeline.model_cache.manifest import load_manifest
from pipeline.model_cache.overlay import Overlay, apply_overlay, read_overlay
from pipeline.model_cache.user_models import UserModels, load_user_models
from pipeline.store.card_proofs import CardProofs
from pipeline.store.worker_stats import Measurements
from shared.environment_manager import hub_endpoint
from shared.stage import DeviceKind


@dataclass(frozen=True)
class Installation:
    """Installed parts of a project. `tool` is the ffmpeg of the stages, `hardware` the usable part of the machine, and
    `own_models` the user's own among the `models`."""

    settings: Settings
    folders: ProjectFolders
    environments: Environments
    models: ModelCache
    own_models: UserModels
    tools: Tools
    tool: Tool
    hardware: Hardware

    @property
    def device(self) -> DeviceKind:
        """Return the kind of device for every backend that supports it."""
        return chosen_device(self.settings, self.hardware)

    def measurements(self) -> Measurements:
        """Return what earlier runs measured, for the cards of this machine."""
        return Measurements(self.folders.results, cards_key(self.hardware))

    def card_proofs(self) -> CardProofs:
        """Return what was proved to compute on the cards of this machine."""
        return CardProofs(self.folders.results, cards_key(self.hardware), self.environments.digest)

    @property
    def torch(self) -> dict[str, str]:
        """Return the build of torch in each environment that has one, by family."""
        families = self.environments.families
        return {family: torch for family in families if (torch := self.environments.torch(family))}


def chosen_device(settings: Settings, hardware: Hardware) -> DeviceKind:
    """Return the kind of device that the user chose, else the best one of the machine."""
    if settings.device != "auto":
        return settings.device
    return hardware.device if settings.chooses_device else "cpu"


def open_installation(settings: Settings) -> Installation:
    """Return the installed parts of the project that `settings` describe. Reads the disk, and writes only caches."""
    folders = project_folders(settings)
    families = load_families(CONFIG / "environments.toml")
    machine = recall(own_config() / REMEMBERED, os.environ.get("PATH"), makes_folder=folders.cache.is_dir())
    libraries = load_card_libraries(CONFIG / "cards.toml")
    hardware = usable_hardware(machine, libraries, os.environ)
    # A variable that hides a card for one run must not have every environment with torch built again.
    has_card = settings.device == "cuda" or computes_on_cards(machine, TORCH, libraries)
    torch = choose_torch(settings.torch, has_card, wheel_folders(settings.torch_wheels, os.environ))
    environments = Environments(folders.environments, CONFIG / "environments", folders.cache, families, torch)
    proofs = CardProofs(folders.results, cards_key(hardware), environments.digest)
    hardware = hardware.model_copy(update={"card_problems": {**hardware.card_problems, **proofs.problems()}})
    models, own = _open_models(settings, folders)
    tools = Tools(folders.scratch, environments, os.environ.get("PATH"), settings.ffmpeg)
    return Installation(settings, folders, environments, models, own, tools, tools.choose(), hardware)


def _open_models(settings: Settings, folders: ProjectFolders) -> tuple[ModelCache, UserModels]:
    """Return the model cache, of shipped models, models that were locked here, and the user's own, and the last of
    them."""
    manifest, shipped = load_manifest(CONFIG / "models.toml", CONFIG / "models.lock.json")
    own = load_user_models(folders.own_models, manifest)
    locked, names, conflicts = apply_overlay(shipped, read_overlay(folders.own_models))
    overlay = Overlay(
        folders.own_models, shipped, names | own.models.keys(), conflicts,
        refused=_refuses_first_use(settings), accepts_code=settings.accept_code,
    )  # fmt: skip
    models = ModelCache(
        folders.cache, {**manifest, **own.models}, {**locked, **own.locked}, hub_endpoint(os.environ, settings.hub),
        token=lambda: find_token(os.environ, own_config(), home_folder()), overlay=overlay,
    )  # fmt: skip
    return models, own


def _refuses_first_use(settings: Settings) -> str:
    """Return why this machine locks no model by itself; empty if it may."""
    if settings.locked is True:
        return "the setting `locked` forbids locking it here"
    if settings.locked == "auto" and os.environ.get("CI", "").lower() in {"1", "true", "yes"}:
        return "where the variable CI is true, a model is not locked at first use"
    return ""
