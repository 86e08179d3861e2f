"""`--skip-existing`: files that have the requested subtitles are skipped and listed, at no cost."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import Reel
from tests.pipeline.engine.library.conftest import AUDIO, FORCED, PICTURES, TEXT, FakeFFmpeg, Film

RUN = ("run", "films", "--skip-existing", "--json")


def states(text: str) -> dict[str, str]:
    return {item["name"]: item["state"] for item in json.loads(text)["data"]["items"]}


def test_a_film_with_subtitles_in_its_spoken_language_is_skipped(
    reel: Reel, film: Film, fake_ffmpeg: FakeFFmpeg
) -> None:
    en, ja = AUDIO.format("eng"), AUDIO.format("jpn")
    film("films/has.mkv", en, beside=("has.en.srt",))
    film("films/untagged.mkv", en, beside=("untagged.srt",))
    film("films/unknown.mkv", beside=("unknown.fr.srt",))  # the file does not say what is spoken
    film("films/inside.mkv", ja, TEXT.format("jpn"))
    film("films/other.mkv", ja, TEXT.format("eng"), beside=("other.en.srt",))
    film("films/pictures.mkv", en, PICTURES.format("eng"))
    film("films/empty.mkv", en)
    (reel.folder / "films" / "empty.en.srt").touch()
    film("films/forced.mkv", en, FORCED.format("eng"), beside=("forced.en.forced.srt",))
    done = reel(*RUN, extra=fake_ffmpeg.variables)
    expected = {"has": "skipped", "untagged": "skipped", "unknown": "skipped", "inside": "skipped"}
    expected |= {"empty": "done", "other": "done", "pictures": "done", "forced": "done"}
    assert {name.removesuffix(".mkv"): state for name, state in states(done.stdout).items()} == expected
    reasons = {item["name"]: item["reason"] for item in json.loads(done.stdout)["data"]["items"]}
    assert reasons["has.mkv"] == "has subtitles already: has.en.srt (en)"
    assert reasons["inside.mkv"] == "has subtitles already: a track inside (ja)"
    assert "untagged.mkv  skipped  has subtitles already: untagged.srt" in done.stderr
    before = fake_ffmpeg.asked
    again = reel(*RUN, extra=fake_ffmpeg.variables)
    assert set(states(again.stdout).values()) == {"skipped", "reused"}
    assert fake_ffmpeg.asked == before == 8


def test_only_missing_languages_are_made(reel: Reel, film: Film, fake_ffmpeg: FakeFFmpeg) -> None:
    film("films/both.mkv", TEXT.format("por"), beside=("both.en.sdh.srt",))
    film("films/one.mkv", beside=("one.English.srt",))
    film("films/none.mkv")
    done = reel(*RUN, "--to", "en,pt", extra=fake_ffmpeg.variables)
    assert states(done.stdout) == {"both.mkv": "skipped", "none.mkv": "done", "one.mkv": "done"}
    assert {path.name for path in reel.out.glob("one/*.srt")} == {"one.en.srt", "one.pt.srt"}  # en is spoken
    steps = json.loads((reel.out / "one" / "job.json").read_text(encoding="utf-8"))["steps"]
    assert "translate:pt" in steps
    assert "translate:en" not in steps
    again = reel(*RUN, "--to", "en,pt", extra=fake_ffmpeg.variables)
    assert states(again.stdout) == {"both.mkv": "skipped", "none.mkv": "reused", "one.mkv": "reused"}


def test_no_subtitles_are_written_beside_a_film_in_a_language_that_it_has(
    reel: Reel, film: Film, fake_ffmpeg: FakeFFmpeg
) -> None:
    place = film("films/film.mkv", beside=("film.eng.srt",)).parent
    for state in ("done", "reused"):
        done = reel(*RUN, "--to", "en,pt", "--beside", extra=fake_ffmpeg.variables)
        assert states(done.stdout) == {"film.mkv": state}
        assert {path.name for path in place.glob("*.srt")} == {"film.eng.srt", "film.pt.srt"}
    (place / "film.eng.srt").unlink()
    assert states(reel(*RUN, "--to", "en,pt", "--beside", extra=fake_ffmpeg.variables).stdout) == {"film.mkv": "done"}
    assert {path.name for path in place.glob("*.srt")} == {"film.en.srt", "film.pt.srt"}


def test_a_plan_lists_the_films_that_would_be_skipped(reel: Reel, film: Film, fake_ffmpeg: FakeFFmpeg) -> None:
    film("films/has.mkv", beside=("Subs/has.en.srt",))
    film("films/none.mkv")
    plan = reel("plan", "films", "--skip-existing", "--to", "en", "--json", extra=fake_ffmpeg.variables)
    items = {item["name"]: item for item in json.loads(plan.stdout)["data"]["items"]}
    assert items["has.mkv"]["skipped"] == "has subtitles already: Subs/has.en.srt (en)"
    assert items["has.mkv"]["steps"] == []
    assert items["none.mkv"]["steps"]
    assert not reel.results.exists()


@pytest.mark.parametrize("recipe", ["transcribe", "translate"])
def test_a_recipe_without_subtitles_skips_no_film(reel: Reel, film: Film, fake_ffmpeg: FakeFFmpeg, recipe: str) -> None:
    film("films/has.mkv", beside=("has.en.srt",))
    done = reel(*RUN, "--recipe", recipe, "--to", "en", extra=fake_ffmpeg.variables)
    assert states(done.stdout) == {"has.mkv": "done"}
    assert fake_ffmpeg.asked == 0


def test_subtitles_that_reel_wrote_do_not_count(reel: Reel, film: Film, fake_ffmpeg: FakeFFmpeg) -> None:
    film("films/Film/Film.mkv", AUDIO.format("eng"))
    reel("run", "films", "-o", "films", "--no-film", extra=fake_ffmpeg.variables)
    assert (reel.folder / "films" / "Film" / "Film.en.srt").exists()
    done = reel(*RUN, "-o", "films", "--no-film", "--to", "pt", extra=fake_ffmpeg.variables)
    assert states(done.stdout) == {"Film.mkv": "done"}
    done = reel(*RUN, "-o", "films", "--no-film", extra=fake_ffmpeg.variables)
    assert states(done.stdout) == {"Film.mkv": "reused"}


def test_a_skipped_film_stays_skipped_if_another_failure_ends_the_run(
    reel: Reel, film: Film, fake_ffmpeg: FakeFFmpeg
) -> None:
    film("good.mkv")
    film("has.mkv", beside=("has.en.srt",))
    call = ("run", "good.mkv", "gone.mkv", "has.mkv", "--skip-existing", "--fail-fast", "--json")
    done = reel(*call, extra=fake_ffmpeg.variables, expect=3)
    reasons = {item["name"]: item["reason"] for item in json.loads(done.stdout)["data"]["items"]}
    assert reasons["has.mkv"] == "has subtitles already: has.en.srt (en)"


def test_a_missing_file_of_a_list_fails_alone(reel: Reel, film: Film, fake_ffmpeg: FakeFFmpeg, tmp_path: Path) -> None:
    film("films/has.mkv", beside=("has.en.srt",))
    rows = [{"media": "films/has.mkv", "to": ["en"]}, {"media": "gone.mkv"}]
    (tmp_path / "list.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    done = reel("run", "--manifest", "list.jsonl", "--skip-existing", "--json", extra=fake_ffmpeg.variables, expect=3)
    counts = json.loads(done.stdout)["data"]["counts"]
    assert counts == {"failed": 1, "skipped": 1}
