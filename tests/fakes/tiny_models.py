"""Small models on a hub of their own, and what fetching them says."""

from __future__ import annotations

import contextlib
import hashlib
import random
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from pipeline.base.errors import Missing
from pipeline.base.events import Event, Notice
from pipeline.base.secret_file import Token
from pipeline.model_cache.cache import ModelCache
from pipeline.model_cache.fetch.retry_policy import RetryPolicy
from pipeline.model_cache.manifest import (
    HubSource,
    LockedFile,
    LockedModel,
    Model,
    Source,
)
from tests.fakes.hub import Hub, serve
from tests.fakes.verified import wrong_files

REVISION = "0123456789abcdef0123456789abcdef01234567"
FILES = {"config.json": b'{"a": 1}', "model.bin": random.Random(1).randbytes(1 << 20)}
BYTES = sum(map(len, FILES.values()))
SECRET = "hf_" + "s3cr3t" * 4
HURRIED = RetryPolicy(timeout_s=5, tries=3, back_off_s=0.01, longest_wait_s=5, stall_s=0.2, stall_bytes_per_s=20_000)


def locked_model(repo: str | None = "org/tiny", files: Mapping[str, bytes] = FILES) -> LockedModel:
    known = {
        name: LockedFile(size=len(content), sha256=hashlib.sha256(content).hexdigest())
        for name, content in files.items()
    }
    return LockedModel(repo=repo, revision=REVISION, files=known)


def a_model(*sources: Source, gated: bool = False, needs: tuple[str, ...] = ()) -> Model:
    sources = sources or (HubSource(kind="hub"),)
    return Model(summary="tiny", licence="MIT", commercial_use=True, gated=gated, needs=needs, sources=sources)


def a_cache(folder: Path, hub: Hub | str, token: str | None = None, **models: Model) -> ModelCache:
    """Return a cache of models whose repositories are `org/<name>`; by default of one, `tiny`."""
    models = models or {"tiny": a_model()}
    locked = {name: locked_model(f"org/{name}") for name in models}
    address = hub if isinstance(hub, str) else hub.address
    return ModelCache(
        folder, models, locked, address, lambda: Token(token, "a test") if token else None, HURRIED
    )  # fmt: skip


def served(*names: str) -> dict[str, bytes]:
    return {f"org/{name}/resolve/{REVISION}/{file}": content for name in names for file, content in FILES.items()}


def fetched(cache: ModelCache, name: str = "tiny") -> list[Event]:
    events: list[Event] = []
    cache.fetch(name, events.append)
    assert wrong_files(cache, name) == []
    return events


def refused(cache: ModelCache, name: str = "tiny") -> Missing:
    with pytest.raises(Missing) as caught:
        cache.fetch(name, lambda event: None)
    return caught.value


def notices(events: list[Event]) -> str:
    return "\n".join(event.text for event in events if isinstance(event, Notice))


@contextlib.contextmanager
def tiny_hub() -> Iterator[Hub]:
    """Serve four models for the life of the block, to everybody and to one user with a token."""
    with serve(served("tiny", "open", "gated", "other")) as hub:
        hub.users = {SECRET: "alice"}
        yield hub
