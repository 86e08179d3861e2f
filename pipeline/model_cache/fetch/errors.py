"""Explain why a source did not deliver a model: a stable code, a sentence, and the way out.

The hub uses one status for several causes, and several for one cause; this module tells them apart.
"""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator, Mapping
from pathlib import Path

from pipeline.base.display import one_line
from pipeline.environments.package_index import certificate_hint

_SERVER_ERROR = 500  # and above: the fault is the server's
UNAUTHORISED, FORBIDDEN, NOT_FOUND, GONE, BUSY = 401, 403, 404, 410, 429


class FetchError(Exception):
    """A source did not deliver. The next source is tried."""

    def __init__(self, code: str, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.code, self.hint = code, hint

    @property
    def rejects_token(self) -> bool:
        """Tell whether the hub does not know the token."""
        return self.code == "hub.bad-token"


def hub_error(
    status: int, headers: Mapping[str, str], address: str, *, hub: str, repo: str, token: str | None
) -> FetchError:
    """Return the error for an error response of the hub. `token` says where the user's token comes from; None without
    one."""
    page, kind = f"{hub}/{repo}", headers.get("x-error-code", "")
    answered = f"{address} answered {status}"
    if (refused := _access_error(status, kind, answered, hub=hub, repo=repo, token=token)) is not None:
        return refused
    if kind == "RevisionNotFound":
        return FetchError("hub.no-revision", f"{answered}: {repo} no longer has the locked revision", f"see {page}")
    if kind == "EntryNotFound":
        return FetchError(
            "hub.no-file", f"{answered}: {repo} does not have this file at the locked revision", f"see {page}"
        )
    if status in (UNAUTHORISED, NOT_FOUND, GONE):
        return FetchError(
            "hub.not-found", f"{answered}: {repo} is not there, or is private", f"see whether {page} opens in a browser"
        )
    if "disabled" in headers.get("x-error-message", "").lower():
        return FetchError("hub.disabled", f"{answered}: the hub has disabled {repo}", f"{page} may say why")
    if status == FORBIDDEN and token:
        return FetchError(
            "hub.token-right", f"{answered}: the token from {token} lacks permission",
            f"at {hub}/settings/tokens give it `read access to contents of all public gated repos you can access`",
        )  # fmt: skip
    if status == BUSY:
        return FetchError(
            "hub.busy", f"{answered}: too many requests", "try again later; with a token the limit is higher"
        )
    if status < _SERVER_ERROR:
        return FetchError(
            "hub.refused", f"{answered} and does not deliver the file",
            f"see what {page} shows in a browser: a proxy in between may refuse it; the setting `hub` is {hub}",
        )  # fmt: skip
    return FetchError("hub.down", answered, "try again later; the part already downloaded is kept")


def _access_error(
    status: int, kind: str, answered: str, *, hub: str, repo: str, token: str | None
) -> FetchError | None:
    """Return the error if the hub refuses the user's token, requires one, or requires its terms to be accepted."""
    page = f"{hub}/{repo}"
    if status == UNAUTHORISED and token and kind != "RepoNotFound":
        return FetchError(
            "hub.bad-token", f"{answered}: the hub does not know the token from {token}",
            f"make a new token at {hub}/settings/tokens and put it there, or remove the old one",
        )  # fmt: skip
    if status == UNAUTHORISED and kind in {"GatedRepo", ""}:
        return FetchError(
            "hub.no-token", f"{answered}: {repo} requires a token, and there is none",
            f"accept the terms at {page}, make a token at {hub}/settings/tokens, and put it into config/secrets.json",
        )  # fmt: skip
    if kind == "GatedRepo":
        return FetchError(
            "hub.terms", f"{answered}: the account of the token has not accepted the terms of {repo}",
            f"accept them at {page} with the account that the token belongs to",
        )  # fmt: skip
    return None


def no_answer_error(address: str, error: Exception) -> FetchError:
    """Return the error for a server that did not answer."""
    why = one_line(str(getattr(error, "reason", error)))  # it may quote what the server sent
    way = certificate_hint(why) or "check the network connection; the part already downloaded is kept"
    return FetchError("hub.down", f"{address} could not be read: {why}", way)


def disk_error(error: OSError, folder: Path) -> FetchError:
    """Return the error for a disk that cannot be written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return FetchError(
            "model.no-space", f"the disk of {folder} is full", "free some space; the part already downloaded is "
            "kept, and a new fetch continues from there",
        )  # fmt: skip
    return FetchError(
        "model.unwritable", f"{folder} is not writable: {error.strerror or error}", "check its permissions"
    )


@contextlib.contextmanager
def as_disk_error(folder: Path) -> Iterator[None]:
    """Raise an `OSError` of the block as a `FetchError` about the disk. Errors of the network are `OSError`s too."""
    try:
        yield
    except OSError as error:
        raise disk_error(error, folder) from error
