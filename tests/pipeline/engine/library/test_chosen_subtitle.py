"""The setting `subtitles`: what is taken for recognition, and what never is."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import JsonValue

from pipeline.base.errors import BadInput, MediaChanged
from pipeline.base.project import CONFIG
from pipeline.base.settings import Settings, load_settings
from pipeline.engine.library.chosen_subtitle import SubtitleChooser, content_of, subtitles_mode
from pipeline.engine.library.existing import Existing
from pipeline.engine.library.sidecars import Sidecars
from pipeline.engine.library.tracks import TrackIndex
from pipeline.engine.media_list import Request
from pipeline.engine.project import open_project
from pipeline.plan.model import ExistingSubtitle, FromPath
from pipeline.publishing.record import Job, write_job

ENGLISH = "Stream #0:0(eng): Video: h264\nStream #0:1(eng): Audio: aac (default)\n"
SILENT = "Stream #0:0: Video: h264\nStream #0:1: Audio: aac\n"
TRACKS = f"{ENGLISH}Stream #0:2(eng): Subtitle: subrip (forced)\nStream #0:3(eng): Subtitle: subrip\n"


def _settings(**chosen: JsonValue) -> Settings:
    return load_settings(CONFIG / "defaults.toml", Path("none.toml"), {}, chosen)[0]


@pytest.fixture
def choose(tmp_path: Path) -> Callable[..., ExistingSubtitle | None]:
    """Return a function that lays files beside a film and chooses among them."""

    def chosen(
        *names: str, tracks: str = ENGLISH, film: str = "film.mkv", **settings: JsonValue
    ) -> ExistingSubtitle | None:
        place = tmp_path / film
        place.write_bytes(b"film")
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(f"text of {name}", encoding="utf-8")
        project = open_project(_settings(results_dir=str(tmp_path / "results"), **{"subtitles": "auto", **settings}))
        index = TrackIndex(project.store.index, lambda path: tracks, 1)
        return SubtitleChooser(project.planner, Existing(Sidecars(), index)).choose(Request(place)).subtitle

    return chosen


def _name(found: ExistingSubtitle | None) -> str | int | None:
    if found is None:
        return None
    return found.source.name if isinstance(found.source, FromPath) else found.track


@pytest.mark.parametrize(
    ("names", "tracks", "taken"),
    [
        (["film.en.srt"], ENGLISH, "film.en.srt"),
        (["film.en.srt", "film.pt.srt"], ENGLISH, "film.en.srt"),
        (["film.en.sdh.srt", "film.en.srt"], ENGLISH, "film.en.srt"),
        (["film.en.sdh.srt"], ENGLISH, "film.en.sdh.srt"),
        (["film.en.forced.srt"], ENGLISH, None),
        (["film.pt.srt"], ENGLISH, None),
        (["film.srt"], ENGLISH, None),
        (["Subs/film.en.srt"], ENGLISH, "film.en.srt"),
        ([], TRACKS, 1),
        (["film.en.srt"], TRACKS, "film.en.srt"),
        (["film.en.sdh.srt"], TRACKS, 1),
        (["film.en.srt"], SILENT, "film.en.srt"),
        (["film.en.srt", "film.fr.srt"], SILENT, None),
        (["film.pt.srt"], SILENT, None),
    ],
)
def test_auto_takes_a_complete_subtitle_in_the_spoken_language(
    choose: Callable[..., ExistingSubtitle | None], names: list[str], tracks: str, taken: str | int | None
) -> None:
    found = choose(*names, tracks=tracks, to=["pt"])
    assert _name(found) == taken
    assert found is None or "--subtitles none" in found.reason


def test_the_language_that_the_user_says_goes_before_that_of_the_track(
    choose: Callable[..., ExistingSubtitle | None],
) -> None:
    found = choose("film.en.srt", "film.fr.srt", **{"stages.asr.language": "fr"})
    assert _name(found) == "film.fr.srt"


def test_a_subtitle_that_reel_wrote_is_never_taken(
    choose: Callable[..., ExistingSubtitle | None], tmp_path: Path
) -> None:
    record = tmp_path / ".reel" / "film.mkv" / "job.json"
    record.parent.mkdir(parents=True)
    content = hashlib.sha256(b"text of film.en.srt").hexdigest()
    job = Job(
        media=str(tmp_path / "film.mkv"), media_sha256="0" * 64, recipe="subtitle", profile="starter",
        files={"../../film.en.srt": content}, steps={}, licences={},
    )  # fmt: skip
    write_job(record.parent, job, over=False)
    assert choose("film.en.srt") is None


def test_a_named_file_and_a_named_track_are_taken_as_they_are(
    choose: Callable[..., ExistingSubtitle | None], tmp_path: Path
) -> None:
    other = tmp_path / "other.pt-BR.forced.srt"
    other.write_text("text", encoding="utf-8")
    found = choose(subtitles=str(other))
    assert found
    assert (_name(found), found.language, found.kind) == ("other.pt-BR.forced.srt", "pt-BR", "forced")
    found = choose(tracks=TRACKS, subtitles="track:0")
    assert found
    assert (found.track, found.language, found.kind) == (0, "en", "forced")


@pytest.mark.parametrize(("wanted", "code"), [("nowhere.srt", "subtitles.missing"), ("track:5", "subtitles.track")])
def test_what_is_named_and_is_not_there_is_an_error(
    choose: Callable[..., ExistingSubtitle | None], wanted: str, code: str
) -> None:
    with pytest.raises(BadInput) as refusal:
        choose(tracks=TRACKS, subtitles=wanted)
    assert refusal.value.code == code


@pytest.mark.parametrize(
    ("settings", "mode"),
    [
        ({}, "none"), ({"to": ["pt"]}, "none"), ({"beside": True}, "none"), ({"beside": True, "to": ["pt"]}, "auto"),
        ({"beside": True, "to": ["pt"], "subtitles": "none"}, "none"), ({"subtitles": "track:1"}, "track:1"),
    ],
)  # fmt: skip
def test_by_default_only_translations_in_library_mode_take_an_existing_subtitle(
    settings: dict[str, JsonValue], mode: str
) -> None:
    assert subtitles_mode(_settings(**settings)) == mode


def test_a_file_that_changed_since_it_was_chosen_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "film.en.srt"
    file.write_bytes(b"one")
    leaf = FromPath(hashlib.sha256(b"one").hexdigest(), file)
    assert content_of(leaf) == b"one"
    file.write_bytes(b"two")
    with pytest.raises(MediaChanged) as refusal:
        content_of(leaf)
    assert refusal.value.code == "subtitles.changed"
