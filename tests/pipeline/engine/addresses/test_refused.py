"""Claims about addresses that are not followed: offline, beside a file of the user's, and from others than the user's
own command."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.conftest import Reel
from tests.fakes.hub import serve

STUB = {"REEL_STUB": "true"}


@pytest.mark.smoke
def test_an_address_is_refused_offline_and_beside_and_in_a_list_without_a_request(reel: Reel, tmp_path: Path) -> None:
    reel = replace(reel, in_process=True)  # only the answers count here
    with serve({}) as site:
        address = f"{site.address}/film.mp4"
        offline = reel("run", address, "--offline", extra=STUB, expect=5)
        assert f"{address} has not been fetched yet" in offline.stderr
        assert "[address.offline]" in offline.stderr
        assert "[address.beside]" in reel("run", address, "--beside", extra=STUB, expect=2).stderr
        wrong = reel("run", address, "--set", "subtitle.line_length=many", extra=STUB, expect=2)
        assert "address" not in wrong.stderr, "a mistake is told before anything is fetched"
        (tmp_path / "list.jsonl").write_text(f'{{"media": "{address}"}}\n', encoding="utf-8")
        listed = reel("run", "--manifest", tmp_path / "list.jsonl", extra=STUB, expect=4)
        assert "is an address, expected a file or a folder" in listed.stderr
        assert site.requests == []
