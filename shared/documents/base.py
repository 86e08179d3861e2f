"""The base of every JSON document that stages hand to each other: frozen, versioned, always the same bytes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shared.files import write_atomically
from shared.mistakes import first_mistake


class DocumentError(Exception):
    """A file does not hold the expected document."""


class Frozen(BaseModel):
    """An immutable record. An unknown field is an error, so that a misspelt name is noticed."""

    # Built on first use: a command touches few of the many records there are, and building all takes 0.1 s.
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Document(Frozen):
    """A record that is a file of its own. `format` rises when old readers could misread a new file."""

    format: int = Field(default=1, ge=1, le=1)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read and check the document at `path`. Raises `DocumentError` with the first mistake."""
        try:
            return cls.model_validate_json(path.read_bytes())
        except ValidationError as error:
            raise DocumentError(f"{path} is not a {cls.__name__}: {first_mistake(error)}") from error

    def write(self, path: Path) -> Path:
        """Write the document to `path` by rename, and return `path`."""
        write_atomically(path, self.as_text().encode())
        return path

    def as_text(self) -> str:
        """Return the document as the text of its file."""
        return json.dumps(self.model_dump(mode="json"), ensure_ascii=False, indent=1) + "\n"
