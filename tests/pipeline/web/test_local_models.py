"""Claims about servers whose models are loaded from local files: they check before they listen, and ask no hub."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import ROOT, Reel
from tests.fakes.hub import serve as serve_hub
from tests.fakes.web_client import Server

Serve = Callable[..., Server]


@pytest.mark.parametrize(
    ("profile", "file", "command"),
    [
        ("nemo", "parakeet-tdt-0.6b-v2.nemo is not there", "faster-whisper-small ge2e-embedder parakeet-v2"),
        (
            "canary",
            "models--nvidia--canary-qwen-2.5b",
            "faster-whisper-small ge2e-embedder canary-qwen canary-qwen-tokenizer",
        ),
    ],
)
def test_without_its_models_the_server_ends_before_it_listens_and_asks_no_hub(
    profile: str, file: str, command: str, reel: Reel
) -> None:
    with serve_hub({}) as hub:
        extra = {"REEL_CACHE_DIR": str(reel.folder / "cache"), "HF_ENDPOINT": hub.address}
        done = reel("serve", "--profile", profile, "--port", "0", extra=extra, expect=5)
        assert hub.requests == []
    assert "[model.not-local]" in done.stderr
    told = [line for line in done.stderr.splitlines() if file in line]
    assert told
    assert all(str(reel.folder / "cache") in line for line in told)
    assert f"run `./reel models fetch {command}` once" in done.stderr
    assert "serving on" not in done.stderr
    assert (ROOT / "docs" / "how-to" / "serve-local-models.md").is_file()
    assert "docs/how-to/serve-local-models.md" in done.stderr


def test_the_server_says_at_its_start_and_by_ready_where_models_come_from(serve: Serve, tmp_path: Path) -> None:
    starter, nemo = (
        serve("--profile", "starter"),
        serve("--profile", "nemo", "--set", f"results_dir={tmp_path / 'other'}"),
    )
    assert any(line.startswith("models: complete in ") for line in starter.lines)
    told = starter.ask("GET", "/ready")
    assert (told.status, told.data["profile"], told.data["models"]["local"]) == (200, "starter", False)
    assert told.data["models"]["state"] == "complete"
    assert nemo.ask("GET", "/ready").data["models"]["local"] is True


def test_a_server_whose_requests_have_to_say_more_starts_and_says_so(serve: Serve) -> None:
    server = serve("--recipe", "translate")
    assert "models: known when a request says more: the recipe translate needs a target language\n" in server.lines
    assert server.ask("GET", "/ready").status == 503
