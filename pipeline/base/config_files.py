"""Find recipes and guides: TOML files that reel brings along, by their names, or the user's own, by their paths."""

from __future__ import annotations

from pathlib import Path

from pipeline.base.errors import UsageError
from shared.files import read_regular
from shared.nearest import suggestion

SUFFIX = ".toml"


def read_config(code: str, name: str, folder: Path) -> tuple[Path, bytes]:
    """Return the path and the content of the file called `name` in `folder`, or of the file that `name` is a path to.

    Raises `UsageError` with `code`, as `guide.unknown`, where there is no such file or it cannot be read.
    """
    kind = code.partition(".")[0]
    path = Path(name) if name.endswith(SUFFIX) else folder / f"{name}{SUFFIX}"
    try:
        return path, read_regular(path)
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        known = sorted(file.stem for file in folder.glob(f"*{SUFFIX}"))
        hint = suggestion(name, known, f"the {kind}s are {', '.join(known)}; one of your own is a path to a TOML file")
        if isinstance(error, FileNotFoundError | ValueError):
            raise UsageError(code, f"there is no {kind} `{name}`", hint=hint) from error
        raise UsageError(code, f"the {kind} `{name}` cannot be read: {error.strerror or error}", hint=hint) from error
