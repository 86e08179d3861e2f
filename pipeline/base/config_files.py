"""Read recipes and guides: TOML files that reel brings along, by their names, or the user's own, by their paths."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from pipeline.base.display_paths import shown
from pipeline.base.errors import UsageError
from shared.mistakes import text_mistake
from shared.nearest import suggestion

SUFFIX = ".toml"


def read_config(kind: str, name: str, folder: Path, *, syntax: str) -> tuple[Path, dict[str, Any]]:
    """Return the path and the table of the `kind` called `name` in `folder`, or in the file that `name` is a path to.

    Raises `UsageError`: `KIND.unknown` where there is no such file, and the code `syntax` for what is not TOML.
    """
    path = Path(name) if name.endswith(SUFFIX) else folder / f"{name}{SUFFIX}"
    try:
        return path, tomllib.loads(path.read_text(encoding="utf-8-sig"))  # some editors begin a file with a mark
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(syntax, f"{shown(path)} is not TOML: {text_mistake(error)}") from error
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        known = sorted(file.stem for file in folder.glob(f"*{SUFFIX}"))
        hint = suggestion(name, known, f"the {kind}s are {', '.join(known)}; one of your own is a path to a TOML file")
        why = "" if isinstance(error, FileNotFoundError | ValueError) else f": {error.strerror or error}"
        raise UsageError(f"{kind}.unknown", f"there is no {kind} `{name}`{why}", hint=hint) from error
