"""Fetch the files of a hub repository at the locked revision. A `.nemo` archive is a file like any other."""

from __future__ import annotations

import os
import urllib.parse

from pipeline.base import events
from pipeline.base.events import Emit
from pipeline.base.secret_file import Token
from pipeline.model_cache.fetch import FetchRequest, Meter
from pipeline.model_cache.fetch.download import Download, download
from pipeline.model_cache.fetch.errors import FetchError, hub_error, no_answer_error
from pipeline.model_cache.fetch.http_client import ConnectionFailed, HttpStatusError, open_once, with_retries
from pipeline.model_cache.fetch.retry_policy import RetryPolicy


def fetch(request: FetchRequest) -> None:
    """Fetch every requested file. What an earlier attempt has fetched is kept. Raises `FetchError`."""
    if request.locked.repo is None:
        raise FetchError("models.source", f"the lock does not name a repository for {request.model}")
    token = request.token()
    try:
        _fetch_files(request, token)
    except FetchError as failure:
        if not failure.rejects_token or request.gated or token is None:
            raise
        request.emit(without_token(token))
        _fetch_files(request, None)


def without_token(token: Token) -> events.Notice:
    """Return the notice that an open repository is read without a token.

    A token that has expired is refused for open repositories too; without one they are delivered.
    """
    return events.Notice(None, None, f"the hub does not know the token from {token.origin}; continuing without")


def _fetch_files(request: FetchRequest, token: Token | None) -> None:
    meter = Meter(request)
    for name, file in request.files.items():
        blob = request.layout.blob(file.sha256)
        address = address_of(request.hub, str(request.locked.repo), request.locked.revision, name)
        partial = request.layout.partial(file.sha256)
        if blob.exists():  # from the attempt with the token; older blobs were checked before the fetch
            meter.add(file.size)
            continue
        try:
            with meter.file(name) as report:
                download(Download(address, file, partial, token), request.policy, request.emit, report)
        except HttpStatusError as error:
            raise _explained(error, address, request.hub, str(request.locked.repo), token) from None
        except ConnectionFailed as failure:
            raise no_answer_error(address, failure.reason) from failure
        os.replace(partial, blob)


def address_of(hub: str, repo: str, revision: str, name: str) -> str:
    """Return the address of a file on the hub."""
    return f"{hub}/{repo}/resolve/{revision}/{urllib.parse.quote(name)}"


def check_access(hub: str, repo: str, token: Token | None, policy: RetryPolicy, emit: Emit) -> FetchError | None:
    """Return the error that a fetch of a gated repository would meet, without fetching any of it; None without one."""
    address = f"{hub}/api/models/{repo}/auth-check"
    try:
        with_retries(lambda: open_once(address, policy, token).close(), policy, emit)
    except HttpStatusError as error:
        return _explained(error, address, hub, repo, token)
    except ConnectionFailed as failure:
        return no_answer_error(address, failure.reason)
    return None


def _explained(error: HttpStatusError, address: str, hub: str, repo: str, token: Token | None) -> FetchError:
    origin = token.origin if token else None
    return hub_error(error.status, error.headers, address, hub=hub, repo=repo, token=origin)
