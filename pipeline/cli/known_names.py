"""Lists the names that a flag accepts, for shell completion.

The names are read from configuration files, because the user waits after each press of Tab. The declarations of the
stages are imported only to complete a parameter or a backend.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path

from pipeline.base.project import CODE_ROOT, CONFIG, own_config
from pipeline.cli.options.commands import COMMANDS
from shared.text.language import LANGUAGES


def names_of_kind(kind: str) -> list[str]:
    """Return the names of a kind of `Flag.kind`; an empty list for files and for values that are not names."""
    return sorted(_NAMES[kind]()) if kind in _NAMES else []


def backends(stage: str | None) -> list[str]:
    """Return the backends of a stage, or of all stages if it is not known."""
    from pipeline.plan.registry import STAGES

    stages = [STAGES[stage]] if stage in STAGES else STAGES.values()
    return sorted({name for declared in stages for name in declared.backends})


def _assignable() -> list[str]:
    from pipeline.plan.registry import PARAMETERS

    parameters = [f"{stage}.{name}=" for stage, names in PARAMETERS.items() for name in (*names, "backend")]
    return parameters + [f"{name}=" for name in _table(CONFIG / "defaults.toml") if name != "stages"]


def _models() -> list[str]:
    own = own_config() / "own" / "models.toml"
    return [*_table(CONFIG / "models.toml"), *(_table(own) if own.exists() else {})]


def _table(file: Path) -> Mapping[str, object]:
    return tomllib.loads(file.read_text(encoding="utf-8"))


def _files(folder: str) -> Callable[[], list[str]]:
    return lambda: [path.stem for path in (CONFIG / folder).glob("*.toml")]


_NAMES: dict[str, Callable[[], list[str]]] = {
    "stage": lambda: [path.parent.name for path in (CODE_ROOT / "stages").glob("*/stage.py")],
    "model": _models,
    "environment": lambda: [*_table(CONFIG / "environments.toml")],
    "profile": lambda: ["auto", *_files("profiles")()],
    "recipe": _files("recipes"),
    "guide": _files("guides"),
    "language": lambda: [*LANGUAGES],
    "setting": _assignable,
    "command": lambda: [word for command in COMMANDS for word in command.words],
}
