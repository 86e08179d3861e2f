"""Look up on the network what the lock does not know: a revision, and the size and sha256 of each file.

The hub states the sha256 of a large file. A small file is read, compared with the git digest that the hub states for
it, and hashed. A known fact of the same revision is never replaced: a difference is an error.
"""

from __future__ import annotations

import fnmatch
import hashlib
import http.client
import json
import re
import urllib.parse
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from pipeline.base.errors import Missing, UsageError
from pipeline.base.events import Emit
from pipeline.base.secret_file import Token
from pipeline.model_cache.cache import ModelCache
from pipeline.model_cache.facts import differences, in_words
from pipeline.model_cache.fetch.errors import FetchError, hub_error, no_answer_error
from pipeline.model_cache.fetch.http_client import ConnectionFailed, HttpStatusError, open_once, origin_of, with_retries
from pipeline.model_cache.fetch.hub import address_of, without_token
from pipeline.model_cache.manifest import UNKNOWN, HubSource, LockedFile, LockedModel, UrlSource
from shared.copying import hash_stream
from shared.documents.base import Frozen

MAIN = "main"
_NEXT_PAGE = re.compile(r'<([^>]+)>;\s*rel="next"')


class _Large(Frozen, extra="ignore"):
    oid: str
    size: int


class _Entry(Frozen, extra="ignore"):
    """A line of the hub's list of files."""

    type: str
    path: str
    size: int
    oid: str
    lfs: _Large | None = None


def resolve_model(name: str, revision: str | None, cache: ModelCache, emit: Emit) -> LockedModel:
    """Return the model with all facts. `revision` is a branch, a tag or a commit; None stands for the locked revision,
    or for `main` if none is locked. Raises `Missing` with the answer of the server."""
    model, locked = cache.models[name], cache.locked[name]
    try:
        for source in model.sources:
            if isinstance(source, HubSource) and locked.repo:
                wanted = revision or (MAIN if locked.revision == UNKNOWN else locked.revision)
                found = _with_or_without_token(_Resolver(cache, locked.repo, emit), source, wanted, gated=model.gated)
                return _agreeing(name, locked, found)
            if isinstance(source, UrlSource):
                files = {file: _hash_of(address, None, cache, emit) for file, address in source.files.items()}
                return _agreeing(name, locked, LockedModel(revision=locked.revision, files=files))
    except FetchError as failure:
        raise Missing(failure.code, f"the model {name} cannot be locked: {failure}", hint=failure.hint) from failure
    raise UsageError("models.source", f"{name} does not have a source to look up; write its lock by hand")


def locked_paths(source: HubSource, paths: Sequence[str]) -> set[str]:
    """Return the paths of a repository that the manifest locks."""

    def fits(path: str, patterns: Sequence[str]) -> bool:
        return any(fnmatch.fnmatchcase(path, pattern) for pattern in patterns)

    wanted = {path for path in paths if fits(path, source.allow) and not fits(path, source.ignore)}
    same = [path for path in source.one_of if path in wanted]
    return wanted - set(same[1:])


@dataclass(frozen=True)
class _Resolver:
    """Asks the hub about one repository."""

    cache: ModelCache
    repo: str
    emit: Emit

    def resolve(self, source: HubSource, revision: str, token: Token | None) -> LockedModel:
        hub = self.cache.hub
        api = f"{hub}/api/models/{self.repo}"
        answer = json.loads(self._read(f"{api}/revision/{urllib.parse.quote(revision, safe='')}", token)[0])
        commit = str(answer.get("sha", ""))
        files: dict[str, LockedFile] = {}
        every = [
            e for e in self._entries(f"{api}/tree/{commit}?recursive=true&expand=false", token) if e.type == "file"
        ]
        wanted = locked_paths(source, [entry.path for entry in every])
        for entry in (entry for entry in every if entry.path in wanted):
            if entry.lfs:
                files[entry.path] = LockedFile(size=entry.lfs.size, sha256=entry.lfs.oid)
            else:
                files[entry.path] = self._small(entry, commit, token)
        if not files:
            raise FetchError(
                "hub.no-file",
                f"{self.repo} holds no file that the manifest takes",
                "correct `allow` of the model in config/models.toml",
            )
        return LockedModel(repo=self.repo, revision=commit, files=files)

    def _entries(self, address: str, token: Token | None) -> Iterable[_Entry]:
        page: str | None = address
        while page:
            body, headers = self._read(page, token if origin_of(page) == origin_of(self.cache.hub) else None)
            try:
                yield from (_Entry.model_validate(line) for line in json.loads(body))
            except (ValueError, ValidationError) as error:
                raise FetchError("hub.answer", f"{page} did not answer with a list of files") from error
            onward = _NEXT_PAGE.search(headers.get("Link") or "")
            page = urllib.parse.urljoin(page, onward[1]) if onward else None

    def _small(self, entry: _Entry, commit: str, token: Token | None) -> LockedFile:
        address = address_of(self.cache.hub, self.repo, commit, entry.path)
        content, _ = self._read(address, token)
        git_digest = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
        if git_digest != entry.oid:
            raise FetchError("model.wrong-bytes", f"{address} has git digest {git_digest}, the hub states {entry.oid}")
        return LockedFile(size=len(content), sha256=hashlib.sha256(content).hexdigest())

    def _read(self, address: str, token: Token | None) -> tuple[bytes, http.client.HTTPMessage]:
        def ask() -> tuple[bytes, http.client.HTTPMessage]:
            with open_once(address, self.cache.policy, token) as answer:
                return answer.read(), answer.headers

        try:
            return with_retries(ask, self.cache.policy, self.emit)
        except HttpStatusError as error:
            raise hub_error(
                error.status, error.headers, address,
                hub=self.cache.hub, repo=self.repo, token=token.origin if token else None,
            ) from None  # fmt: skip
        except ConnectionFailed as failure:
            raise no_answer_error(address, failure.reason) from failure


def _with_or_without_token(resolver: _Resolver, source: HubSource, revision: str, *, gated: bool) -> LockedModel:
    """Resolve with the user's token, or without it if the repository is open and the hub does not know the token."""
    token = resolver.cache.token()
    try:
        return resolver.resolve(source, revision, token)
    except FetchError as failure:
        if token is None or gated or not failure.rejects_token:
            raise
        resolver.emit(without_token(token))
        return resolver.resolve(source, revision, None)


def _hash_of(address: str, token: Token | None, cache: ModelCache, emit: Emit) -> LockedFile:
    def ask() -> LockedFile:
        digest = hashlib.sha256()
        with open_once(address, cache.policy, token, {"Accept-Encoding": "identity"}) as answer:
            size = hash_stream(answer, digest)
            if answer.length:  # it ended before the stated length
                raise ConnectionError(f"{address} ended after {size} bytes")
        return LockedFile(size=size, sha256=digest.hexdigest())

    try:
        return with_retries(ask, cache.policy, emit)
    except HttpStatusError as error:
        raise FetchError("url.refused", f"{address} answered {error.status}") from None
    except ConnectionFailed as failure:
        raise no_answer_error(address, failure.reason) from failure


def _agreeing(name: str, locked: LockedModel, found: LockedModel) -> LockedModel:
    """Return `found`. Raises `FetchError` if it contradicts what the lock knows of the same revision."""
    for file, known, now in differences(locked, found):
        what = "is not there any more" if now is None else f"has {in_words(now)}"
        raise FetchError(
            "model.moved",
            f"{file} of {name} {what}, the lock says {in_words(known)} at {locked.revision}",
            "a commit never changes: find out which of the two is wrong before you trust either",
        )
    return found
