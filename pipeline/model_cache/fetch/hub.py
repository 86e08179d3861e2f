"""Files of a hub repository at the locked revision. A `.nemo` archive is a file of a repository like any other."""

from __future__ import annotations

import os
import urllib.parse

from pipeline.base import events
from pipeline.base.events import Emit
from pipeline.base.secret_file import Token
from pipeline.model_cache.fetch import Meter, Want
from pipeline.model_cache.fetch.download import Download, download
from pipeline.model_cache.fetch.errors import SourceFailed, hub_refusal, refusal, unreachable
from pipeline.model_cache.fetch.http_client import Refused, Unreachable, open_once, patiently
from pipeline.model_cache.fetch.retry_policy import Patience


def fetch(want: Want) -> None:
    """Fetch every wanted file; what an earlier attempt has fetched is kept."""
    if want.locked.repo is None:
        raise refusal("models.source", f"the lock names no repository for {want.model}")
    token = want.token()
    try:
        _fetch_files(want, token)
    except SourceFailed as failure:
        if not failure.rejects_token or want.gated or token is None:
            raise
        want.emit(without_token(token))
        _fetch_files(want, None)


def without_token(token: Token) -> events.Notice:
    """Return the notice that an open repository is read without a token.

    A token that has expired is refused for open repositories too; without one they are delivered.
    """
    return events.Notice(None, None, f"the hub does not know the token from {token.origin}; continuing without")


def _fetch_files(want: Want, token: Token | None) -> None:
    meter = Meter(want)
    for name, file in want.files.items():
        blob = want.layout.blob(file.sha256)
        address = address_of(want.hub, str(want.locked.repo), want.locked.revision, name)
        partial = want.layout.partial(file.sha256)
        if blob.exists():  # of an attempt without success before; what there was before has been looked at
            meter.there(file.size)
            continue
        try:
            with meter.file(name) as moved:
                download(Download(address, file, partial, token), want.patience, want.emit, moved)
        except Refused as refused:
            raise _told(refused, address, want.hub, str(want.locked.repo), token) from None
        except Unreachable as failure:
            raise unreachable(address, failure.reason) from failure
        os.replace(partial, blob)


def address_of(hub: str, repo: str, revision: str, name: str) -> str:
    """Return the address of a file on the hub."""
    return f"{hub}/{repo}/resolve/{revision}/{urllib.parse.quote(name)}"


def check_access(hub: str, repo: str, token: Token | None, patience: Patience, emit: Emit) -> SourceFailed | None:
    """Return what bars access to a gated repository, without fetching a byte of it; None when nothing does."""
    address = f"{hub}/api/models/{repo}/auth-check"
    try:
        patiently(lambda: open_once(address, patience, token).close(), patience, emit)
    except Refused as refused:
        return _told(refused, address, hub, repo, token)
    except Unreachable as failure:
        return unreachable(address, failure.reason)
    return None


def _told(refused: Refused, address: str, hub: str, repo: str, token: Token | None) -> SourceFailed:
    origin = token.origin if token else None
    return hub_refusal(refused.status, refused.headers, address, hub=hub, repo=repo, token=origin)
