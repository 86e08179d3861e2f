"""Subtitling guides: the limits in `config/guides`, which become parameters of every stage that has them."""

from __future__ import annotations

import tomllib
from pathlib import Path

from pydantic import JsonValue, ValidationError

from pipeline.base.config_files import read_config
from pipeline.base.errors import UsageError
from shared.documents.base import Frozen
from shared.mistakes import first_mistake, text_mistake
from shared.text.guide_limits import GuideParams


class Guide(Frozen):
    """One file of `config/guides`."""

    summary: str
    limits: GuideParams

    @property
    def params(self) -> dict[str, JsonValue]:
        """Return the limits that the guide states, as parameters."""
        named: dict[str, JsonValue] = self.limits.model_dump(mode="json", exclude_unset=True)
        return named


def load_guide(name: str, folder: Path) -> Guide:
    """Load the guide `name` from `folder`, or from the file that `name` is the path of. Raises `UsageError`."""
    path, content = read_config("guide.unknown", name, folder)
    try:
        return Guide.model_validate(tomllib.loads(content.decode("utf-8-sig")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError("guide.invalid", f"{path} is not TOML: {text_mistake(error)}") from error
    except ValidationError as error:
        raise UsageError("guide.invalid", f"{path}: {first_mistake(error)}") from error
