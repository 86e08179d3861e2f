"""A hub that asks who is there: tokens, terms, and repositories that are closed, renamed or gone."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline.base.errors import Missing
from pipeline.base.events import Event
from pipeline.base.secret_file import Token
from pipeline.model_cache.fetch_many import fetch_all
from tests.fakes.hub import Fault, Hub
from tests.fakes.tiny_models import (
    REVISION,
    SECRET,
    a_cache,
    a_model,
    fetched,
    notices,
    refused,
    served,
    tiny_hub,
)
from tests.fakes.verified import wrong_files


@pytest.fixture
def hub() -> Iterator[Hub]:
    with tiny_hub() as hub:
        yield hub


def let_in(hub: Hub, *users: str) -> None:
    hub.gated["org/tiny"] = set(users)


def narrow(hub: Hub) -> None:
    let_in(hub, "alice")
    hub.narrow.add(SECRET)


def empty(hub: Hub) -> None:
    hub.files = {f"org/tiny/resolve/{REVISION}/something-else": b""}


def gone(hub: Hub) -> None:
    hub.files = served("open")


ACCESS: dict[str, tuple[str | None, Callable[[Hub], None]]] = {
    "hub.no-token": (None, let_in),
    "hub.terms": (SECRET, let_in),
    "hub.bad-token": ("hf_old", let_in),
    "hub.token-right": (SECRET, narrow),
    "hub.disabled": (SECRET, lambda hub: hub.disabled.add("org/tiny")),
    "hub.not-found": (SECRET, gone),
    "hub.no-file": (None, empty),
}


@pytest.mark.parametrize("code", ACCESS)
def test_each_kind_of_closed_door_has_a_code_and_a_page_to_visit(hub: Hub, tmp_path: Path, code: str) -> None:
    token, close = ACCESS[code]
    close(hub)
    model = a_model(gated=code not in {"hub.not-found", "hub.no-file"})
    error = refused(a_cache(tmp_path, hub, token, tiny=model))
    assert error.code == code
    page = "/settings/tokens" if code in {"hub.bad-token", "hub.token-right"} else "/org/tiny"
    assert hub.address + page in str(error.hint)
    assert hub.bytes_sent == 0


def test_an_open_model_comes_although_the_users_token_has_expired(hub: Hub, tmp_path: Path) -> None:
    events = fetched(a_cache(tmp_path, hub, "hf_old"))
    assert "does not know the token from a test; continuing without" in notices(events)


def test_a_token_is_shown_to_the_hub_and_not_to_where_it_sends_us(hub: Hub, tmp_path: Path) -> None:
    hub.redirects, hub.gated = True, {"org/tiny": {"alice"}}
    fetched(a_cache(tmp_path, hub, SECRET, tiny=a_model(gated=True)))
    assert {origin for origin, _ in hub.authorised} == {hub.address}
    assert len(hub.authorised) == 2
    assert len(hub.requests) == 3, "the large file came from elsewhere"


def test_a_renamed_repository_is_followed_with_the_token_and_kept_under_the_name_that_was_asked_for(
    hub: Hub, tmp_path: Path
) -> None:
    hub.gated, hub.renamed = {"org/open": {"alice"}}, {"org/tiny": "org/open"}
    cache = a_cache(tmp_path, hub, SECRET, tiny=a_model(gated=True))
    assert fetch_all(["tiny"], cache, lambda event: None) == {}
    assert wrong_files(cache, "tiny") == []
    assert "models--org--tiny" in str(cache.snapshot("tiny"))


def test_a_token_stands_in_no_event_no_error_and_no_text_of_its_own(hub: Hub, tmp_path: Path) -> None:
    cache = a_cache(tmp_path, hub, SECRET, tiny=a_model(gated=True))
    texts = [repr(Token(SECRET, "a test")), str(Token(SECRET, "a test")), repr(vars(cache))]
    hub.faults.append(Fault(status=500, times=1))
    for how in ({"org/tiny": {"bob"}}, {"org/tiny": {"alice"}}):
        hub.gated = how
        events: list[Event] = []
        with contextlib.suppress(Missing):
            cache.fetch("tiny", events.append)
        texts += map(repr, events)
    hub.users = {}
    error = refused(a_cache(tmp_path / "other", hub, SECRET, tiny=a_model(gated=True)))
    texts += [repr(error), error.message, str(error.hint), repr(error.__cause__)]
    assert SECRET not in "".join(texts)
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]


def test_all_gated_models_are_asked_about_first_and_told_together_and_the_others_come(hub: Hub, tmp_path: Path) -> None:
    hub.gated = {"org/gated": set(), "org/other": set()}
    cache = a_cache(
        tmp_path, hub, SECRET, tiny=a_model(), gated=a_model(gated=True), open=a_model(), other=a_model(gated=True)
    )
    failed = fetch_all(list(cache.models), cache, lambda event: None)
    assert {name: error.code for name, error in failed.items()} == {"gated": "hub.terms", "other": "hub.terms"}
    assert {path for path, _ in hub.requests[:2]} == {f"/api/models/org/{name}/auth-check" for name in hub_names(hub)}
    assert cache.incomplete(cache.models).keys() == {"gated", "other"}
    hub.requests.clear()
    assert fetch_all(["tiny", "open"], cache, lambda event: None) == {}
    assert hub.requests == [], "what is whole is not asked about"


def hub_names(hub: Hub) -> list[str]:
    return [repo.removeprefix("org/") for repo in hub.gated]
