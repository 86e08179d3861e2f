"""Files at addresses of their own; the lock's sha256 is all that makes such an address trustworthy."""

from __future__ import annotations

import os

from pipeline.model_cache.fetch import Meter, Want
from pipeline.model_cache.fetch.download import Download, download
from pipeline.model_cache.fetch.errors import refusal, unreachable
from pipeline.model_cache.fetch.http_client import Refused, Unreachable
from pipeline.model_cache.manifest import UrlSource


def fetch(source: UrlSource, want: Want) -> None:
    """Fetch every wanted file; no token is ever shown to such a server."""
    if unknown := sorted(set(want.files) - set(source.files)):
        raise refusal("models.source", f"no address is known for `{unknown[0]}`")
    meter = Meter(want)
    for name, file in want.files.items():
        address, partial = source.files[name], want.layout.partial(file.sha256)
        try:
            with meter.file(name) as moved:
                download(Download(address, file, partial), want.patience, want.emit, moved)
        except Refused as refused:
            raise refusal(
                "url.refused", f"{address} answered {refused.status}", "see whether it opens in a browser"
            ) from None
        except Unreachable as failure:
            raise unreachable(address, failure.reason) from failure
        os.replace(partial, want.layout.blob(file.sha256))
