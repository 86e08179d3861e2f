"""`reel models list`: list the models, grouped by what the user can do about them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from pydantic import JsonValue

from pipeline.base.project import CONFIG
from pipeline.cli.arguments import CommandResult, megabytes, project_of, table
from pipeline.cli.commands.model_fetch import needed_models
from pipeline.cli.options.models import ListModels
from pipeline.engine.planner import Planner
from pipeline.model_cache.cache import ModelCache
from pipeline.model_cache.manifest import LockedModel, Model, stated_bytes
from pipeline.model_cache.selection import with_needs
from pipeline.plan.language_needs import stage_languages
from pipeline.plan.profile import AUTO, Profile, load_profiles, suggest_profile

WIDTH = 100  # of the widest line
_COMPLETE, _FETCHABLE, _AGREEMENT = "complete", "can be fetched", "needs your agreement"
_DISPUTED = "disputed"
_TITLES = {
    _COMPLETE: "complete",
    _FETCHABLE: "can be fetched, with `./reel models fetch NAME`",
    _DISPUTED: "disputed by the shipped lock and the one of this machine; `./reel models fetch NAME` says how",
    _AGREEMENT: "needs your agreement to terms and a token, see docs/how-to/gated-models.md",
}
_LONGEST_NAME, _LONGEST_LICENCE = 36, 12  # a longer name moves only its own line
_ROUND_FROM = 10e9  # an estimate has no decimals to show
_COMMERCIAL = {True: "yes", False: "no", None: "unknown"}


def list_models(arguments: ListModels) -> CommandResult:
    """List every model, or those of one profile, with its state in the cache."""
    planner = project_of(arguments).planner
    profiles = load_profiles(CONFIG / "profiles")
    shown = list(planner.models.models)
    if arguments.profile:
        profile = planner.profile.profile
        optional = (*profile.models, *profile.language_models, *needed_models(planner, profile))
        shown = with_needs(optional, planner.models.models)
    problems = planner.models.incomplete(planner.models.models)
    used_by = {
        name: [profile for profile, entry in profiles.items() if name in (*entry.models, *entry.language_models)]
        for name in shown
    }
    data: list[JsonValue] = [_item(name, planner, problems.get(name), used_by[name]) for name in shown]
    remarks = _uses(shown, planner) if arguments.profile else {name: ", ".join(used_by[name]) for name in shown}
    for name in planner.models.overlay.names & remarks.keys():
        remarks[name] = f"locked here; {remarks[name]}".rstrip("; ")
    parts = _groups(shown, planner, problems, remarks, "USED FOR" if arguments.profile else "PROFILES")
    parts.append(_summary(planner, profiles, shown, problems))
    return CommandResult({"models": data}, "\n\n".join(parts))


def _item(name: str, planner: Planner, problem: str | None, used_by: Sequence[str]) -> JsonValue:
    model, locked = planner.models.models[name], planner.models.locked[name]
    return {
        "name": name,
        "bytes": locked.size,
        "repo": locked.repo,
        "revision": locked.revision,
        "licence": model.licence,
        "commercial_use": model.commercial_use,
        "stages": list(model.stages),
        "gated": model.gated,
        "resolved": locked.resolved,
        "locked": planner.models.overlay.origin(name) if locked.resolved else None,
        "complete": problem is None,
        "problem": problem,
        "profiles": list(used_by),
    }


def _uses(names: Sequence[str], planner: Planner) -> dict[str, str]:
    """Return the stages of each model, and the language of those that are for one."""
    languages = stage_languages(planner.profile.profile)
    uses = {}
    for name in names:
        stages = ", ".join(planner.models.models[name].stages)
        uses[name] = f"{stages}: {languages[name]}" if name in languages else stages
    return uses


def _groups(
    names: Sequence[str], planner: Planner, problems: Mapping[str, str], remarks: Mapping[str, str], head: str
) -> list[str]:
    """Return the heads of the columns, then the rows of each state under its title."""
    rows = [_row(planner.models.models[name], planner.models.locked[name], remarks[name]) for name in names]
    others = table(rows, ("SIZE", "LICENCE", "COMMERCIAL", head)).splitlines()
    width = max((len(name) for name in names if len(name) <= _LONGEST_NAME), default=_LONGEST_NAME)
    lines = [_clipped(f"{name:<{width}}  {other}") for name, other in zip(["NAME", *names], others, strict=True)]
    found = {name: _state(planner.models.models[name], name in problems) for name in names}
    found |= dict.fromkeys(planner.models.overlay.conflicts.keys() & found.keys(), _DISPUTED)
    groups = [lines[0]]
    for state, title in _TITLES.items():
        members = [line for line, name in zip(lines[1:], names, strict=True) if found[name] == state]
        if members:
            groups.append("\n".join([f"{title}:", *members]))
    return groups


def _row(model: Model, locked: LockedModel, remark: str) -> tuple[str, ...]:
    licence = _clipped(model.licence, _LONGEST_LICENCE)
    return _size(model, locked), licence, _COMMERCIAL[model.commercial_use], remark


def _size(model: Model, locked: LockedModel) -> str:
    """Return the size as text; `~` marks an estimate of the manifest."""
    size = stated_bytes(model, locked)
    if locked.resolved:
        return megabytes(size)
    return f"~{size / 1e9:.0f} GB" if size >= _ROUND_FROM else f"~{megabytes(size)}"


def _state(model: Model, missing: bool) -> str:
    if not missing:
        return _COMPLETE
    return _AGREEMENT if model.gated else _FETCHABLE


def _clipped(text: str, width: int = WIDTH) -> str:
    return text if len(text) <= width else f"{text[: width - 3].rstrip(', ')}..."


def _summary(planner: Planner, profiles: Mapping[str, Profile], shown: Sequence[str], problems: Collection[str]) -> str:
    """Return the last line: the complete models, and what the profile that suits this machine still needs."""
    complete_names = [name for name in shown if name not in problems]
    size = sum(planner.models.locked[name].size for name in complete_names)
    requested = planner.settings.profile
    name = suggest_profile(profiles, planner.hardware) if requested == AUTO else requested
    profile = planner.profile.profile if planner.profile.name == name else profiles[name]
    missing = [model for model in needed_models(planner, profile) if model in problems]
    complete = f"{len(complete_names)} complete ({megabytes(size)})"
    if not missing:
        return f"{complete}; {name} needs nothing more"
    left = sum(left_to_fetch(model, planner.models) for model in missing)
    terms = sum(planner.models.models[model].gated for model in missing)
    agreements = f" and {'one agreement' if terms == 1 else f'{terms} agreements'}" if terms else ""
    return f"{complete}; {name} needs {megabytes(left)} more{agreements}"


def left_to_fetch(name: str, models: ModelCache) -> int:
    """Return the number of bytes that are still to be fetched for the model; an estimate if it is not locked."""
    locked = models.locked[name]
    return models.missing_bytes([name]) if locked.resolved else stated_bytes(models.models[name], locked)
