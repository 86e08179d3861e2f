"""Corrections belong to the language of what they correct: in another language they wait, in every folder."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.engine.language_models import for_inputs
from pipeline.plan.model import AllOf, FromCorrection, FromStep, Plan, Source, Step
from pipeline.publishing.corrected_plan import with_edits
from pipeline.publishing.edits import Changed, Edit, Edits, EditStore
from pipeline.store.results import StoredResult
from shared.documents.transcript import Transcript
from stages.correct import stage as correct
from stages.refine import stage as refine
from stages.subtitle import stage as subtitle
from tests.conftest import ROOT, Reel

STUB = {"REEL_STUB": "true"}
CUE = "1\n00:00:00,500 --> 00:00:01,500\n{}\n"


@pytest.fixture
def film(reel: Reel) -> str:
    shutil.copyfile(ROOT / "samples" / "demo.mp4", reel.folder / "film.mp4")
    return "film.mp4"


def corrected(reel: Reel, film: str, name: str, text: str, *flags: str) -> Path:
    """Return a published file that was corrected and taken in."""
    reel("run", film, *flags, extra=STUB)
    place = reel.out / "film" / name
    place.write_text(text, encoding="utf-8")
    reel("run", film, *flags, "--continue", extra=STUB)
    return place


def test_a_correction_waits_in_another_language_and_comes_back_with_its_own(reel: Reel, film: str) -> None:
    mine = CUE.format("GOOD evening")
    place = corrected(reel, film, "film.en.srt", mine)
    told = reel("run", film, "--language", "pt", extra=STUB).stderr
    assert "film.en.srt was corrected in en, but this run is in pt" in told
    assert (reel.out / "film" / "film.pt.srt").read_text(encoding="utf-8") != mine
    assert place.read_text(encoding="utf-8") == mine  # the person's file stays where it is
    elsewhere = {"REEL_OUTPUT_DIR": str(reel.folder / "elsewhere"), **STUB}
    reel("run", film, "--language", "ar", extra=elsewhere)
    assert (reel.folder / "elsewhere" / "film" / "film.ar.srt").read_text(encoding="utf-8") != mine
    told = reel("run", film, extra=elsewhere).stderr
    assert "not used now" not in told
    assert (reel.folder / "elsewhere" / "film" / "film.en.srt").read_text(encoding="utf-8") == mine


def test_each_language_has_corrections_of_its_own(reel: Reel, film: str) -> None:
    english, portuguese, translated = (CUE.format(text) for text in ("evening", "noite", "nuit"))
    corrected(reel, film, "film.en.srt", english)
    corrected(reel, film, "film.pt.srt", portuguese, "--language", "pt")
    corrected(reel, film, "film.fr.srt", translated, "--language", "pt", "--to", "fr")
    reel("run", film, "--to", "fr", extra=STUB)
    assert (reel.out / "film" / "film.en.srt").read_text(encoding="utf-8") == english
    assert (reel.out / "film" / "film.fr.srt").read_text(encoding="utf-8") == translated
    listed = reel("edits", "list", film, extra=STUB).stdout
    assert [line.split()[:2] for line in listed.splitlines()] == [
        ["film.en.srt", "en"], ["film.pt.srt", "pt"], ["film.fr.srt", "fr"],
    ]  # fmt: skip
    reel("edits", "drop", film, "film.en.srt", extra=STUB)
    reel("run", film, "--language", "pt", extra=STUB)
    assert (reel.out / "film" / "film.pt.srt").read_text(encoding="utf-8") == portuguese


def test_a_corrected_transcript_waits_too_and_its_place_is_free_for_another(reel: Reel, film: str) -> None:
    reel("run", film, extra=STUB)
    place = reel.out / "film" / "transcript.json"
    text = place.read_text(encoding="utf-8").replace("Hello.", "Bye.")
    corrected(reel, film, "transcript.json", text)
    reel("run", film, "--language", "pt", extra=STUB)
    assert Transcript.read(place).language == "pt"
    plan = reel("plan", film, "--language", "pt-BR", extra=STUB).stdout
    assert "uses the corrected transcript.json if en is spoken" in plan


@pytest.mark.parametrize(
    ("edit", "language"),
    [
        (Edit(name="film.en.srt", step="subtitle", role="files", sha256="1", base="1"), "en"),
        (Edit(name="a.b.pt-BR.sdh.vtt", step="subtitle", role="files", sha256="1", base="1"), "pt-BR"),
        (Edit(name="film.hin.srt", step="subtitle", role="files", sha256="1", base="1"), "hi"),
        (Edit(name="x.srt", step="subtitle-translated:fr", role="files", sha256="1", base="1"), "fr"),
        (Edit(name="film.und.srt", step="subtitle", role="files", sha256="1", base="1"), "und"),
        (Edit(name="film.srt", step="subtitle", role="files", sha256="1", base="1"), None),
    ],
)
def test_corrections_of_earlier_versions_get_the_language_of_their_name(
    tmp_path: Path, edit: Edit, language: str | None
) -> None:
    old = Edits(edits=(edit,)).model_dump_json(exclude={"edits": {"__all__": {"language", "becomes"}}})
    (tmp_path / "media").mkdir()
    (tmp_path / "media" / "edits.json").write_text(old, encoding="utf-8")
    assert [one.language for one in EditStore(tmp_path).of("media")] == [language]


def test_a_transcript_may_be_corrected_into_another_language(tmp_path: Path) -> None:
    store, changed = EditStore(tmp_path / "edits"), tmp_path / "transcript.json"
    Transcript(language="pt", language_probability=1.0, duration_ms=1000, segments=()).write(changed)
    edits = store.take_in("media", [Changed(changed, "refine.transcript", None, "gl")])
    assert [(edit.language, edit.becomes) for edit in edits] == [("gl", "pt")]
    cues = tmp_path / "film.pt.srt"
    cues.write_text(CUE.format("noite"), encoding="utf-8")
    edits = store.take_in("media", [Changed(cues, "subtitle.files", None, "pt")])
    steps = {step.id: step for step in with_edits(_plan(), edits, _correct).steps}
    assert _names(steps["correct"], "gl") == {"corrections": "transcript.json film.pt.srt"}
    assert _names(steps["correct"], "pt") == {"corrections": "film.pt.srt"}
    assert _names(steps["correct"], "en") == {}
    assert _names(steps["subtitle"], "pt") == {"edited": "film.pt.srt"}
    assert for_inputs(steps["subtitle"].inputs, "en") == {
        "transcript": FromStep("correct", "transcript"), "pins": FromStep("correct", "pins")
    }  # fmt: skip


def test_what_is_corrected_is_told_by_the_language_of_its_result() -> None:
    edit = Edit(name="film.pt-BR.srt", step="subtitle", role="files", sha256="1", base="0", language="pt-BR")
    for language, applies in (("pt-BR", True), ("pt-br", True), ("pt", False), ("pt-PT", False), ("und", False)):
        result = StoredResult(
            key="k", outputs={}, facts={"language": language}, ingredients={}, warnings=(), seconds=0, cpu_s=0,
            memory_mb=None,
        )  # fmt: skip
        assert edit.applies({"subtitle": result}) is applies, language
    assert not edit.applies({})


def _plan() -> Plan:
    def step(stage_module: object, name: str, **inputs: Source) -> Step:
        stage = stage_module.STAGE  # type: ignore[attr-defined]
        return Step(name, stage, "stub", next(iter(stage.backends.values())), stage.params(), inputs, {})

    steps = (step(refine, "refine"), step(subtitle, "subtitle", transcript=FromStep("refine", "transcript")))
    return Plan("", "", steps, ())


def _correct(inputs: dict[str, Source]) -> Step:
    stage = correct.STAGE
    return Step("correct", stage, "stub", next(iter(stage.backends.values())), stage.params(), inputs, {})


def _names(step: Step, language: str) -> dict[str, str]:
    """Return the corrections that a step takes in, by role."""

    def names(source: Source) -> Iterator[str]:
        for leaf in source.sources if isinstance(source, AllOf) else (source,):
            if isinstance(leaf, FromCorrection):
                yield leaf.name

    found = {role: " ".join(names(source)) for role, source in for_inputs(step.inputs, language).items()}
    return {role: name for role, name in found.items() if name and role != "bases"}


def _change(folder: Path, text: str, before: str, *, origin: str = "subtitle.files", source: str = "") -> Changed:
    """Return an edited file with the content before."""
    contents = {"film.en.srt": text, f"{before}.before": before, f"{source}.source": source}
    for name, content in contents.items():
        (folder / name).write_text(content, encoding="utf-8")
    then = folder / f"{source}.source" if source else None
    return Changed(folder / "film.en.srt", origin, folder / f"{before}.before", "en", then)


def test_a_correction_of_what_was_laid_out_again_adds_to_the_first(tmp_path: Path) -> None:
    store = EditStore(tmp_path / "edits")
    (first,) = store.take_in("media", [_change(tmp_path, "one", "made")])
    both = store.take_in("media", [_change(tmp_path, "two", "laid out again")])
    assert both[0] == first
    assert [store.path("media", edit.base).read_text(encoding="utf-8") for edit in both] == ["made", "laid out again"]
    third = store.take_in("media", [_change(tmp_path, "three", "two")])  # a change of the file as the user left it
    assert [store.path("media", edit.sha256).read_text(encoding="utf-8") for edit in third] == ["one", "three"]
    assert [store.path("media", edit.base).read_text(encoding="utf-8") for edit in third] == ["made", "laid out again"]
    assert store.drop("media", ["film.en.srt"]) == third
    assert store.of("media") == ()


def test_a_correction_knows_what_it_translates_and_which_pins_were_dropped(tmp_path: Path) -> None:
    store = EditStore(tmp_path / "edits")
    origin = "subtitle-translated:en.files"
    (edit,) = store.take_in("media", [_change(tmp_path, "one", "made", origin=origin, source="said")])
    assert store.path("media", str(edit.source)).read_text(encoding="utf-8") == "said"
    store.drop_pins("media", {edit.sha256: ["a1", "b2"]})
    store.drop_pins("media", {edit.sha256: ["b2"], "another": ["c3"]})
    (edit,) = store.of("media")
    assert edit.without == ("a1", "b2")
    assert set(store.files("media", [edit])) == {edit.sha256, edit.base, edit.source}


def test_corrections_of_earlier_versions_are_compared_with_the_file_before(tmp_path: Path) -> None:
    cues = Edit(name="film.en.srt", step="subtitle", role="files", sha256="1", base="0", language="en")
    document = Edit(name="transcript.json", step="refine", role="transcript", sha256="3", base="2", language="en")
    steps = {step.id: step for step in with_edits(_plan(), [cues, document], _correct).steps}
    inputs = steps["correct"].inputs
    assert [leaf.sha256 for leaf in _leaves(inputs["corrections"])] == ["1", "3"]
    assert [leaf.sha256 for leaf in _leaves(inputs["bases"])] == ["0", "3"]  # that transcript stands whole


def test_dropped_pins_are_a_parameter_and_a_translation_is_corrected_before_its_use() -> None:
    translated = Edit(
        name="film.fr.srt", step="subtitle-translated:fr", role="files", sha256="1", base="0", language="fr",
        source="s", without=("a1",), is_chained=True,
    )  # fmt: skip
    plan = _plan()
    given: dict[str, Source] = {
        "transcript": FromStep("refine", "transcript"), "translation": FromStep("refine-translated:fr", "translation")
    }  # fmt: skip
    shown = replace(plan.steps[1], id="subtitle-translated:fr", inputs=given, target="fr")
    made = replace(plan.steps[0], id="refine-translated:fr")
    plan = replace(plan, steps=(*plan.steps, made, shown))
    spoken = Edit(name="film.en.srt", step="subtitle", role="files", sha256="4", base="3", language="en")
    steps = {step.id: step for step in with_edits(plan, [translated, spoken], _correct).steps}
    correct = steps["correct-translated:fr"]
    assert correct.inputs["transcript"] == FromStep("correct", "transcript")
    assert correct.inputs["translation"] == FromStep("refine-translated:fr", "translation")
    assert [leaf.sha256 for leaf in _leaves(correct.inputs["sources"])] == ["s"]
    assert correct.params.model_dump()["without"] == ("a1",)
    shows = steps["subtitle-translated:fr"].inputs
    assert shows["translation"] == FromStep("correct-translated:fr", "translation")
    assert shows["pins"] == FromStep("correct-translated:fr", "pins")
    assert list(steps).index("correct") < list(steps).index("correct-translated:fr")


def _leaves(source: Source) -> list[FromCorrection]:
    assert isinstance(source, AllOf)
    return [leaf for leaf in source.sources if isinstance(leaf, FromCorrection)]
