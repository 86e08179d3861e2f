"""Fetch files from addresses of their own. Only the lock's sha256 makes such an address trustworthy."""

from __future__ import annotations

import os

from pipeline.model_cache.fetch import FetchRequest, Meter
from pipeline.model_cache.fetch.download import Download, download
from pipeline.model_cache.fetch.errors import FetchError, no_answer_error
from pipeline.model_cache.fetch.http_client import ConnectionFailed, HttpStatusError
from pipeline.model_cache.manifest import UrlSource


def fetch(source: UrlSource, request: FetchRequest) -> None:
    """Fetch every requested file, without a token. Raises `FetchError`."""
    if unknown := sorted(set(request.files) - set(source.files)):
        raise FetchError("models.source", f"no address is known for `{unknown[0]}`")
    meter = Meter(request)
    for name, file in request.files.items():
        address, partial = source.files[name], request.layout.partial(file.sha256)
        try:
            with meter.file(name) as report:
                download(Download(address, file, partial), request.policy, request.emit, report)
        except HttpStatusError as error:
            raise FetchError(
                "url.refused", f"{address} answered {error.status}", "see whether it opens in a browser"
            ) from None
        except ConnectionFailed as failure:
            raise no_answer_error(address, failure.reason) from failure
        os.replace(partial, request.layout.blob(file.sha256))
