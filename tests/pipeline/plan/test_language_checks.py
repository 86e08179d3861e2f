"""Languages and names that cannot be are refused before the first step; a language's names are understood."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.base.errors import UsageError
from pipeline.cli.arguments import project_of
from pipeline.cli.parser import parse
from tests.conftest import Reel

STUB = {"REEL_STUB": "true"}


@pytest.fixture
def film(tmp_path: Path) -> Path:
    place = tmp_path / "film.mp4"
    place.write_text("film", encoding="utf-8")
    return place


@pytest.mark.parametrize(
    ("flags", "code", "says"),
    [
        (("--language", "klingon"), "params.invalid", "the nearest is"),
        (("--language", "xx"), "params.invalid", "`asr.language` cannot be 'xx'"),
        (("--audio-language", "klingon"), "params.invalid", "`demux.audio_language`"),
        (("--burn-in", "klingon"), "params.invalid", "`mux.burn_in`"),
        (("--to", "klingon"), "settings.value", "`to"),
        (("--language", "kashmiri"), "language.unheard", "does not know Kashmiri (`ks`)"),
        (("--language", "tlh"), "language.unheard", "does not know the language `tlh`"),
        (("--language", "en", "--burn-in", "pt"), "language.not-made", "add `--to pt`"),
        (("--language", "en", "--to", "pt", "--burn-in", "Français"), "language.not-made", "English, Portuguese"),
        (("--to", "ja", "--set", "translate.backend=bergamot"), "translate.pair", "into Japanese (`ja`)"),
        (("--language", "ja", "--to", "pt", "--set", "translate.backend=bergamot"), "translate.pair", "Japanese into"),
        (("--set", "foo.bar=3"), "stage.unknown", "there is no stage `foo`"),
        (("--set", "asr.beem_size=3"), "params.invalid", "did you mean `beam_size`?"),
        (("--set", "asr.beam_size=many"), "params.invalid", "expected a whole number"),
        (("--set", "asr.beam_size=99"), "params.invalid", "expected 20 or less"),
        (("--set", "asr.backend=faster-wisper"), "backend.unknown", "did you mean `faster-whisper`?"),
        (("--set", "beam_size=3"), "settings.unknown", "did you mean `asr.beam_size`?"),
        (("--recipe", "subtitels"), "recipe.unknown", "did you mean `subtitle`?"),
        (("--profile", "startr"), "profile.unknown", "did you mean `starter`?"),
        (("--guide", "netflx"), "guide.unknown", "did you mean `netflix`?"),
    ],
)
def test_what_cannot_be_is_known_with_the_plan(flags: tuple[str, ...], code: str, says: str) -> None:
    _, arguments = parse(["run", "film.mp4", "--profile", "starter", *flags])
    with pytest.raises(UsageError) as caught:
        project_of(arguments).planner.plan()
    assert caught.value.code == code
    assert says in f"{caught.value.message} {caught.value.hint}"


@pytest.mark.parametrize("flags", [("--language", "klingon"), ("--set", "foo.bar=3")])
def test_plan_and_run_say_it_before_the_first_step(reel: Reel, film: Path, flags: tuple[str, ...]) -> None:
    for command in ("plan", "run"):
        done = reel(command, film, *flags, extra=STUB, expect=2)
        assert done.stderr.startswith("error: ")
    assert not reel.results.exists() or not list(reel.results.glob("history/*")), "nothing was begun"


def test_names_are_understood_wherever_a_language_is_taken(reel: Reel, film: Path) -> None:
    reel("run", film, "--language", "Hindi", "--to", "Brazilian Portuguese,english", "--burn-in", "português",
         "--audio-language", "HINDI", extra=STUB)  # fmt: skip
    names = {path.name for path in (reel.out / "film").iterdir()}
    assert {"film.hin.srt", "film.pt-BR.srt", "film.en.srt"} <= names
    (film.parent / "list.csv").write_text("media,to,language\nfilm.mp4,Simplified Chinese,hindi\n", encoding="utf-8")
    reel("run", "--manifest", film.parent / "list.csv", extra=STUB)
    assert (reel.out / "film" / "film.zh-Hans.srt").exists()
    again = reel("plan", film, "--to", "zh-hans", "--language", "hin", "--json", extra=STUB)
    steps = json.loads(again.stdout)["data"]["items"][0]["steps"]
    assert {step["verdict"] for step in steps} == {"reused"}, "a tag and a name are one"


def test_a_list_may_be_one_word(reel: Reel, film: Path) -> None:
    reel("run", film, "--set", "subtitle.formats=srt", "--set", "to=pt", extra=STUB)
    assert not (reel.out / "film" / "film.pt.vtt").exists()
    assert (reel.out / "film" / "film.pt.srt").exists()
