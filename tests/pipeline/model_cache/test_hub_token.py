"""The user's token: where it is looked for, in which order, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.base.errors import UsageError
from pipeline.base.project import CONFIG
from pipeline.model_cache.hub_token import find_token


@pytest.fixture
def places(tmp_path: Path) -> tuple[Path, Path]:
    """Return the folder of the settings and the user's home, each with a token of its own."""
    config, home = tmp_path / "config", tmp_path / "home"
    config.mkdir()
    (config / "secrets.json").write_text('{"hf_token": "hf_secrets", "other_key": "x"}', encoding="utf-8")
    (config / "secrets.json").chmod(0o600)
    (home / ".cache" / "huggingface").mkdir(parents=True)
    (home / ".cache" / "huggingface" / "token").write_text("hf_login\n", encoding="utf-8")
    return config, home


def test_the_variable_wins_then_the_secrets_file_then_the_users_own_login(places: tuple[Path, Path]) -> None:
    config, home = places
    token = find_token({"HF_TOKEN": "hf_variable\n"}, config, home)
    assert token is not None
    assert (token.value, token.origin) == ("hf_variable", "the variable HF_TOKEN")
    token = find_token({"HF_TOKEN": ""}, config, home)
    assert token is not None
    assert (token.value, token.origin) == ("hf_secrets", "config/secrets.json")
    (config / "secrets.json").write_text('{"hf_token": ""}', encoding="utf-8")
    token = find_token({}, config, home)
    assert token is not None
    assert token.value == "hf_login"


def test_the_login_is_found_where_the_user_has_moved_it(places: tuple[Path, Path], tmp_path: Path) -> None:
    config, home = places
    (config / "secrets.json").unlink()
    moved = tmp_path / "moved"
    (moved / "huggingface").mkdir(parents=True)
    for path in (moved / "token", moved / "huggingface" / "token"):
        path.write_text("hf_moved", encoding="utf-8")
    for environ in (
        {"HF_TOKEN_PATH": str(moved / "token"), "HF_HOME": "/nowhere"},
        {"HF_HOME": str(moved)},
        {"XDG_CACHE_HOME": str(moved)},
    ):
        token = find_token(environ, config, home)
        assert token is not None
        assert token.value == "hf_moved"
    assert find_token({"HF_HOME": "/nowhere"}, config, home) is None


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660])
def test_a_secrets_file_that_others_can_read_is_refused_with_the_command_that_closes_it(
    places: tuple[Path, Path], mode: int
) -> None:
    config, home = places
    (config / "secrets.json").chmod(mode)
    with pytest.raises(UsageError) as caught:
        find_token({}, config, home)
    assert caught.value.code == "token.exposed"
    assert f"chmod 600 {config / 'secrets.json'}" in str(caught.value.hint)
    assert "hf_secrets" not in caught.value.message + str(caught.value.hint)


@pytest.mark.parametrize(
    ("content", "code"),
    [("hf_secrets", "token.file"), ('{"hf_token": 5}', "token.file"), ('{"hf_token": "hf sec\\nrets"}', "token.shape")],
)
def test_what_is_no_token_is_refused_without_being_quoted(places: tuple[Path, Path], content: str, code: str) -> None:
    config, home = places
    (config / "secrets.json").write_text(content, encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        find_token({}, config, home)
    assert caught.value.code == code
    assert "rets" not in caught.value.message.replace("secrets.json", "") + repr(caught.value.__cause__)


def test_the_example_of_a_secrets_file_holds_none(tmp_path: Path) -> None:
    (tmp_path / "secrets.json").write_text(
        (CONFIG / "secrets.example.json").read_text(encoding="utf-8"), encoding="utf-8"
    )
    (tmp_path / "secrets.json").chmod(0o600)
    assert find_token({}, tmp_path, tmp_path) is None


def test_an_exposed_file_without_a_token_in_it_harms_nothing(tmp_path: Path) -> None:
    """As the copied example is, before a token is in it."""
    for content in ('{"hf_token": ""}', "{}"):
        (tmp_path / "secrets.json").write_text(content, encoding="utf-8")
        (tmp_path / "secrets.json").chmod(0o644)
        assert find_token({}, tmp_path, None) is None
