"""The glossary that the user names for a job: read and checked before anything runs, and an input of the plan by its
content."""

from __future__ import annotations

import hashlib
from pathlib import Path

from pipeline.base.errors import BadInput
from pipeline.plan.model import FromGlossary
from shared.documents.base import DocumentError
from shared.files import read_regular
from shared.text.glossary import Glossary


def load_glossary(name: str) -> FromGlossary | None:
    """Return the glossary in the file `name`; None without a name. Raises `BadInput`."""
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
