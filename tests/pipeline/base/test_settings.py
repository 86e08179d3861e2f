"""Settings: which layer wins, and what a wrong one says."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pydantic import JsonValue

from pipeline.base.errors import UsageError
from pipeline.base.project import CONFIG
from pipeline.base.settings import Settings, load_settings, overrides_of, parse_assignment, with_overrides
from pipeline.plan.registry import PARAMETERS

DEFAULTS = CONFIG / "defaults.toml"


def test_each_layer_wins_over_the_one_below_and_says_where_a_value_is_from(tmp_path: Path) -> None:
    project = tmp_path / "reel.toml"
    project.write_text(
        'recipe = "translate"\nto = ["pt"]\n[stages.asr]\nbeam_size = 4\nlanguage = "hi"\n', encoding="utf-8"
    )
    environ = {"REEL_TO": "en, hin", "REEL_STAGES__ASR__BEAM_SIZE": "3", "REEL_DEBUG": "1", "PATH": "/bin"}
    settings, origins = load_settings(DEFAULTS, project, environ, {"stages.asr.beam_size": 2}, lambda: PARAMETERS)
    assert settings.recipe == "translate"
    assert settings.to == ("en", "hi")
    assert settings.stages == {"asr": {"beam_size": 2, "language": "hi"}}
    assert origins.of["recipe"] == "reel.toml"
    assert origins.of["to"] == "variable REEL_TO"
    assert origins.of["stages.asr.beam_size"] == "flag stages.asr.beam_size"
    assert origins.of["profile"] == "config/defaults.toml"


@pytest.mark.parametrize(
    ("text", "code", "says"),
    [
        ('recip = "x"', "settings.unknown", "did you mean `recipe`?"),
        ("progress = 3", "settings.value", "`progress` from reel.toml cannot be 3"),
        ('to = ["klingonese!"]', "settings.value", "`to`"),
        ("recipe = ", "settings.syntax", "is not TOML"),
        ("stages = 3", "settings.stages", "a table for each stage"),
        ('to = "klingon"', "settings.value", "the nearest is "),
        ("offline = 3", "settings.value", "expected true or false"),
        ('device = "gpu"', "settings.value", "expected 'auto', 'cpu', 'cuda' or 'mps'"),
        ('cpus = "all"', "settings.value", "expected a whole number"),
        ("cpus = -1", "settings.value", "expected 0 or more"),
        ("look_ahead = -5", "settings.value", "expected 0 or more"),
        ("memory_limit_gib = -3.0", "settings.value", "expected 0 or more"),
        ("idle_worker_s = nan", "settings.value", "expected 0 or more"),
        ("labels = { nvenc = -1 }", "settings.value", "expected 0 or more"),
        ("time_limit_factor = 0", "settings.value", "expected a number above 0"),
        ("time_limit_factor = nan", "settings.value", "expected a number above 0"),
        ("results_limit = 0", "settings.value", "expected a size in MB, GB or TB, such as 50GB"),
        ('results_limit = "-1GB"', "settings.value", "expected a size in MB, GB or TB, such as 50GB"),
        ('results_dir = ""', "settings.value", "expected a folder"),
        ('output_dir = " "', "settings.value", "expected a folder"),
        ('cache_dir = ""', "settings.value", "expected a folder"),
        ('to = "mul"', "settings.value", "`mul` names none"),
        ('to = "en,und-Latn"', "settings.value", "`und-Latn` names none"),
        ("to = 3", "settings.value", 'expected a list like ["a", "b"]'),
        ("beam_size = 3", "settings.unknown", "did you mean `asr.beam_size`?"),
        ("beem_size = 3", "settings.unknown", "did you mean `asr.beam_size`?"),
        ("[asr]\nbeam_size = 3", "settings.unknown", "stand below `stages.asr`"),
        ("[stages.asrr]\nbeam_size = 3", "stage.unknown", "did you mean `asr`?"),
        ("[stages.asr]\nbeem_size = 3", "params.invalid", "which reel.toml sets did you mean `beam_size`?"),
    ],
)
def test_a_wrong_setting_is_named_with_its_origin(tmp_path: Path, text: str, code: str, says: str) -> None:
    project = tmp_path / "reel.toml"
    project.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        load_settings(DEFAULTS, project, {}, {}, lambda: PARAMETERS)
    assert caught.value.code == code
    assert says in f"{caught.value.message} {caught.value.hint}"


@pytest.mark.parametrize(
    ("environ", "flags"),
    [
        ({"REEL_STAGES__ASRR__BEAM_SIZE": "3"}, {}),
        ({"REEL_STAGES__ASR__BEEM_SIZE": "3"}, {}),
        ({}, {"stages.foo.bar": 3}),
        ({}, {"stages.asr.beem_size": 3}),
    ],
)
def test_a_name_that_there_is_not_is_refused_from_any_source(
    environ: dict[str, str], flags: dict[str, JsonValue]
) -> None:
    with pytest.raises(UsageError) as caught:
        load_settings(DEFAULTS, Path("none.toml"), environ, flags, lambda: PARAMETERS)
    assert next(iter(environ or flags)) in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("setting", Settings.model_fields)
def test_a_value_of_any_type_is_taken_or_refused_by_name(tmp_path: Path, setting: str) -> None:
    project = tmp_path / "reel.toml"
    for value in ("[]", "{}", "[1, {}]", "{ a = { b = {} } }", "nan", "-1", "true", '""', "1979-05-27", "10" * 40):
        project.write_text(f"{setting} = {value}\n", encoding="utf-8")
        refusal = setting  # none: the value is taken
        try:
            load_settings(DEFAULTS, project, {}, {}, lambda: PARAMETERS)
        except UsageError as refused:
            refusal = str(refused)
        assert setting in refusal or setting == "stages", value


@pytest.mark.parametrize("written", ['"pt"', '"Portuguese"', '["pt"]', '"portugues "', '["PT"]', '"por"'])
def test_one_language_is_a_list_of_one_and_may_be_a_name(tmp_path: Path, written: str) -> None:
    project = tmp_path / "reel.toml"
    project.write_bytes(f"\ufeffto = {written}\n".encode())  # as some editors begin a file
    assert load_settings(DEFAULTS, project, {}, {}, lambda: PARAMETERS)[0].to == ("pt",)


def test_settings_that_cannot_be_read_are_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "circle").symlink_to("circle")
    (tmp_path / "link").symlink_to("nowhere")
    os.mkfifo(tmp_path / "pipe")
    for name, why in (
        ("folder", "Is a directory"), ("circle", "symbolic links"), ("link", "No such file"), ("pipe", "regular file"),
    ):  # fmt: skip
        with pytest.raises(UsageError, match=f"cannot be read: .*{why}") as caught:
            load_settings(DEFAULTS, tmp_path / name, {}, {}, lambda: PARAMETERS)
        assert caught.value.code == "settings.unreadable"


def test_an_unknown_variable_of_ours_is_a_mistake() -> None:
    with pytest.raises(UsageError, match="REEL_RECIPPE"):
        load_settings(DEFAULTS, Path("none.toml"), {"REEL_RECIPPE": "x"}, {}, lambda: PARAMETERS)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("asr.beam_size=3", ("stages.asr.beam_size", 3)),
        ("stages.asr.beam_size=3", ("stages.asr.beam_size", 3)),
        ("profile=starter", ("profile", "starter")),
        ("asr.initial_prompt=a = b", ("stages.asr.initial_prompt", "a = b")),
        ("offline=true", ("offline", True)),
        (f"asr.hotwords={'9' * 5000}", ("stages.asr.hotwords", "9" * 5000)),
        (f"asr.hotwords={'[' * 100_000}", ("stages.asr.hotwords", "[" * 100_000)),
    ],
)
def test_an_assignment_reaches_stages_without_their_prefix(text: str, expected: tuple[str, object]) -> None:
    assert parse_assignment(text) == expected


@pytest.mark.parametrize("text", ["asr.beam_size", "=3", ""])
def test_what_is_no_assignment_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not an assignment"):
        parse_assignment(text)


@pytest.mark.parametrize("asked", ["stages.mux.burn_in", "stages.mux.container", "stages.mux.keep_subtitles"])
@pytest.mark.parametrize(("off", "on"), [({"film": False}, {"film": True}), ({"beside": True}, {"beside": False})])
def test_what_is_asked_of_a_film_that_is_not_to_be_made_is_a_mistake(
    tmp_path: Path, asked: str, off: dict[str, JsonValue], on: dict[str, JsonValue]
) -> None:
    project = tmp_path / "reel.toml"
    [(name, value)] = off.items()
    with pytest.raises(UsageError, match=f"`{name} = {str(value).lower()}` none is made") as caught:
        load_settings(DEFAULTS, project, {}, {**off, asked: "en"}, lambda: PARAMETERS)
    assert caught.value.code == "settings.no-film"
    project.write_text(f"{name} = {str(value).lower()}\n[stages.mux]\nburn_in = 'en'\n", encoding="utf-8")
    with pytest.raises(UsageError, match="none is made"):
        load_settings(DEFAULTS, project, {}, {asked: "en"}, lambda: PARAMETERS)
    assert load_settings(DEFAULTS, project, {}, {asked: "en", **on}, lambda: PARAMETERS)[0].makes_film
    # What the file asks of films holds where one is made.
    settings, _ = load_settings(DEFAULTS, project, {}, {}, lambda: PARAMETERS)
    with pytest.raises(UsageError, match="none is made"):
        with_overrides(settings, {asked: "en"}, PARAMETERS)


def test_beside_the_media_there_is_no_film_and_no_output_folder(tmp_path: Path) -> None:
    def load(**flags: JsonValue) -> Settings:
        return load_settings(DEFAULTS, tmp_path / "none.toml", {}, flags, lambda: PARAMETERS)[0]

    assert not load(beside=True).makes_film
    assert not load(beside=True, film=False).makes_film
    with pytest.raises(UsageError, match="`film` concerns the copy"):
        load(beside=True, film=True)
    with pytest.raises(UsageError, match="an output folder is named") as caught:
        load(beside=True, output_dir="done")
    assert caught.value.code == "settings.beside"
    with pytest.raises(UsageError, match="none is made"):
        with_overrides(load(beside=True), {"film": True}, PARAMETERS)
    assert not with_overrides(load(), {"film": False}, PARAMETERS).makes_film


@pytest.mark.parametrize("setting", ["recipe", "guide", "glossary", "subtitles"])
@pytest.mark.parametrize("name", ["a\0.toml", "\ud800.toml"])
def test_a_name_that_no_file_can_have_is_refused_in_each_setting(setting: str, name: str) -> None:
    settings, _ = load_settings(CONFIG / "defaults.toml", Path("none.toml"), {}, {})
    with pytest.raises(UsageError, match="a name that a file can have"):
        with_overrides(settings, {setting: name}, PARAMETERS)


def test_a_language_of_a_list_is_named_where_it_is_not_known(tmp_path: Path) -> None:
    (tmp_path / "reel.toml").write_text('to = "Turkish,Inglizce"\n', encoding="utf-8")
    with pytest.raises(UsageError, match="that is about `Inglizce`"):
        load_settings(DEFAULTS, tmp_path / "reel.toml", {}, {}, lambda: PARAMETERS)


OF_ONE_FILE: dict[str, JsonValue] = {
    "guide": "netflix", "to": ["pt", "en"], "film": False, "report": False, "subtitles": "track:1",
    "bilingual": "source-above", "stages.asr.language": None, "stages.subtitle.formats": ["vtt"],
}  # fmt: skip


@pytest.mark.parametrize("name", OF_ONE_FILE)
def test_what_a_job_records_gives_the_same_settings_whatever_the_next_process_has(tmp_path: Path, name: str) -> None:
    plain, _ = load_settings(DEFAULTS, tmp_path / "none.toml", {}, {}, lambda: PARAMETERS)
    other, _ = load_settings(DEFAULTS, tmp_path / "none.toml", {}, OF_ONE_FILE, lambda: PARAMETERS)
    one = with_overrides(plain, {name: OF_ONE_FILE[name]}, PARAMETERS)
    again = with_overrides(plain, overrides_of(one), PARAMETERS)
    assert again == one
    assert overrides_of(with_overrides(other, overrides_of(plain), PARAMETERS)) == overrides_of(
        plain.model_copy(update={"stages": other.stages})
    ), "what the defaults say is said too: the next process may have others"


def test_files_that_a_job_names_are_recorded_wherever_the_next_process_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("terms.toml", "film.srt"):
        (tmp_path / name).touch()
    flags: dict[str, JsonValue] = {"glossary": "terms.toml", "subtitles": "film.srt"}
    settings, _ = load_settings(DEFAULTS, tmp_path / "none.toml", {}, flags, lambda: PARAMETERS)
    recorded = overrides_of(settings)
    assert (recorded["glossary"], recorded["subtitles"]) == (str(tmp_path / "terms.toml"), str(tmp_path / "film.srt"))
