"""Stage `translate` makes one text for each segment, and refuses a pair of languages that no backend has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from pydantic import ValidationError

from shared.documents.transcript import Segment, Transcript
from shared.documents.translation import Translation
from shared.stage import Job, StageError
from shared.text.flores_codes import INDICTRANS2, NLLB, flores_code
from shared.text.glossary import Glossary, Term
from stages.translate.doubts import UNSURE, report_doubts
from stages.translate.stage import (
    STAGE,
    TranslateInputs,
    TranslateJob,
    TranslateParams,
    Work,
    backends_for,
    roles_for,
    run,
    stub,
    translates,
)  # fmt: skip
from tests.fakes.listener import Audience


@dataclass
class FakeEngine:
    texts: Sequence[str]
    calls: list[tuple[str, str]] = field(default_factory=list)
    terms: tuple[Term, ...] = ()

    def translate(self, work: Work) -> Sequence[str]:
        self.calls.append((work.source, work.target))
        self.terms = work.glossary.terms
        return self.texts


def a_job(folder: Path, language: str, *texts: str, target: str = "en", backend: str = "whisper") -> TranslateJob:
    segments = tuple(
        Segment(id=index, text=text, start_ms=index * 1_000, end_ms=index * 1_000 + 900)
        for index, text in enumerate(texts)
    )
    transcript = Transcript(language=language, language_probability=1, duration_ms=9_000, segments=segments)
    inputs = TranslateInputs(audio=folder / "a.wav", transcript=transcript.write(folder / "in.json"))
    return Job(inputs, TranslateParams(target=target), folder, backend, Audience())


def texts_of(path: Path) -> list[tuple[int, str]]:
    return [(segment.id, segment.text) for segment in Translation.read(path).segments]


def test_every_segment_gets_its_text_in_order(tmp_path: Path) -> None:
    job = a_job(tmp_path, "pt-BR", "bom dia", "adeus")
    engine = FakeEngine([" good morning ", "goodbye"])
    outputs = run(engine, job)
    assert texts_of(outputs.translation) == [(0, "good morning"), (1, "goodbye")]
    assert engine.calls == [("pt-BR", "en")]
    assert Translation.read(outputs.translation).source == "pt-BR"
    assert job.facts == {"source": "pt-BR", "language": "en", "segments": 2, "untranslated": 0}


def test_a_text_that_came_back_empty_keeps_the_original_and_says_so(tmp_path: Path) -> None:
    job = a_job(tmp_path, "es", "hola", "adios")
    assert texts_of(run(FakeEngine(["", "goodbye"]), job).translation) == [(0, "hola"), (1, "goodbye")]
    assert isinstance(job.listener, Audience)
    assert job.listener.warnings == ["1 of 2 segments came back empty and keep their Spanish text"]


@pytest.mark.parametrize("texts", [["", "", "bye"], ["", "", ""], ["HACKED"] * 6])
def test_what_is_mostly_no_translation_is_not_given_out_as_one(tmp_path: Path, texts: list[str]) -> None:
    said = ("hola", "buenas", "adios", "uno", "dos", "tres")[: len(texts)]
    job = a_job(tmp_path, "es", *said, target="de", backend="nllb")
    with pytest.raises(StageError, match="could not be translated into German") as refused:
        run(FakeEngine(texts), job)
    assert refused.value.code == "translate.untranslated"
    assert not (tmp_path / "translation.json").exists()


def test_a_few_lines_may_have_one_translation(tmp_path: Path) -> None:
    lines = [f"linea {number}" for number in range(12)]
    texts = [*["again"] * 3, *(f"line {number}" for number in range(3, 12))]
    outputs = run(FakeEngine(texts), a_job(tmp_path, "es", *lines))
    assert [text for _, text in texts_of(outputs.translation)] == texts


def test_a_line_that_says_nothing_needs_no_translation(tmp_path: Path) -> None:
    job = a_job(tmp_path, "es", "...", "-", "\u266a", "hola")
    assert texts_of(run(FakeEngine(["", "", "", "hello"]), job).translation)[3] == (3, "hello")


@pytest.mark.parametrize("texts", [["one"], ["one", "two", "three"]])
def test_a_backend_that_loses_or_adds_a_segment_is_caught(tmp_path: Path, texts: list[str]) -> None:
    with pytest.raises((ValueError, IndexError)):
        run(FakeEngine(texts), a_job(tmp_path, "es", "uno", "dos"))
    assert not (tmp_path / "translation.json").exists()


def test_the_same_language_is_copied_without_the_backend(tmp_path: Path) -> None:
    engine = FakeEngine([])
    outputs = run(engine, a_job(tmp_path, "en", "hello", target="en-GB"))
    assert texts_of(outputs.translation) == [(0, "hello")]
    assert engine.calls == []


@pytest.mark.parametrize(
    ("source", "target", "script"),
    [("zh", "zh-Hant", "Hant"), ("zh-TW", "zh-Hant", None), ("zh", "zh-Hans", None), ("zh-Hant", "zh-Hans", "Hans"),
     ("pt", "pt-BR", None), ("hi", "hi-Latn", "Latn")],
)  # fmt: skip
def test_a_copy_in_another_script_than_was_asked_for_is_told(
    tmp_path: Path, source: str, target: str, script: str | None
) -> None:
    text = {"zh": "我不知道我们该怎么办", "pt": "Bom dia a todos", "hi": "मेरा नाम राम है"}[source[:2]]
    audience = Audience()
    run(FakeEngine([]), replace(a_job(tmp_path, source, text, target=target), listener=audience))
    assert [f"in the script {script}" in warning for warning in audience.warnings] == [True] * bool(script)


def test_proposed_names_are_protected_unless_the_glossary_says_something_else(tmp_path: Path) -> None:
    glossary = Glossary(terms=(Term(source="Marta", targets={"en": "Martha"}),)).write(tmp_path / "terms.tsv")
    names = Glossary(terms=(Term(source="Marta"), Term(source="Lima"))).write(tmp_path / "names.tsv")
    job = a_job(tmp_path, "es", "Marta vive en Lima")
    inputs = job.inputs.model_copy(update={"glossary": glossary, "names": names})
    engine = FakeEngine(["Martha lives in Lima"])
    run(engine, replace(job, inputs=inputs))
    assert engine.terms == (Term(source="Marta", targets={"en": "Martha"}), Term(source="Lima"))
    assert (job.facts["terms_met"], job.facts["terms_kept"]) == (2, 2)


def test_nothing_said_is_nothing_translated_whatever_the_pair(tmp_path: Path) -> None:
    assert texts_of(run(FakeEngine([]), a_job(tmp_path, "und", target="ja")).translation) == []


def test_a_pair_that_the_backend_does_not_do_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(StageError) as refusal:
        run(FakeEngine([]), a_job(tmp_path, "hi", "x", target="ur"))
    assert refusal.value.code == "translate.pair"
    assert "Hindi (hi) to Urdu (ur)" in refusal.value.message


def test_a_refusal_names_the_backend_that_would_do_it(tmp_path: Path) -> None:
    with pytest.raises(StageError) as refusal:
        run(FakeEngine([]), a_job(tmp_path, "en", "x", target="pt"))
    expected = "`--set translate.backend=nllb` or `--set translate.backend=bergamot` chooses one that does"
    assert refusal.value.hint == expected


def test_a_target_may_be_a_name_and_one_that_is_no_language_is_refused() -> None:
    assert TranslateParams(target="Brazilian Portuguese").target == "pt-BR"
    with pytest.raises(ValidationError, match="the nearest is English"):
        TranslateParams(target="English please")


@pytest.mark.parametrize(
    ("source", "target", "backends"),
    [
        ("hi", "en", "indictrans2 nllb whisper"), ("pt-BR", "en-US", "nllb bergamot whisper"),
        ("en", "pt", "nllb bergamot"), ("ta", "ur", "indictrans2 nllb"), ("es", "pt", "nllb"), ("la", "en", "whisper"),
        ("en", "la", ""), (None, "en", "nllb whisper indictrans2 bergamot"), (None, "pt", "nllb bergamot"),
        (None, "hi", "nllb indictrans2"),
        ("en", "en-GB", "bergamot nllb whisper indictrans2"),
    ],
)  # fmt: skip
def test_the_backends_for_a_pair_come_best_first(source: str | None, target: str, backends: str) -> None:
    assert backends_for(source, target) == backends.split()


@pytest.mark.parametrize(
    ("source", "target", "roles"),
    [
        ("en", "hi", "en-indic"), ("hi", "en-IN", "indic-en"), ("ta", "hi", "indic-indic"), (None, "en", "indic-en"),
        (None, "hi", "en-indic indic-indic"),
    ],
)  # fmt: skip
def test_a_pair_needs_the_models_of_its_direction_only(source: str | None, target: str, roles: str) -> None:
    assert roles_for("indictrans2", source, target) == tuple(roles.split())
    assert roles_for("nllb", source, target) == ("nllb",)


@pytest.mark.parametrize(
    ("tag", "code"),
    [
        ("hi", "hin_Deva"), ("pt-BR", "por_Latn"), ("zh-Hant-TW", "zho_Hant"), ("zh-TW", "zho_Hant"),
        ("ks-deva", "kas_Deva"), ("no", "nob_Latn"),
    ],
)  # fmt: skip
def test_a_tag_has_the_code_of_its_language_and_script(tag: str, code: str) -> None:
    assert flores_code(tag, NLLB, "NLLB") == code


@pytest.mark.parametrize(("tag", "said"), [("hi-Latn", "Hindi in the script Latn"), ("la", "Latin")])
def test_a_language_or_a_script_that_the_model_does_not_know_is_refused(tag: str, said: str) -> None:
    with pytest.raises(StageError, match=said):
        flores_code(tag, INDICTRANS2, "IndicTrans2")


def test_the_same_language_needs_no_able_backend() -> None:
    assert all(translates(backend, "ja", "ja") for backend in STAGE.backends)


def test_every_backend_that_is_declared_does_some_pair() -> None:
    assert all(translates(backend, None, "en") for backend in STAGE.backends)


def test_a_language_model_does_any_pair_and_is_never_chosen_by_itself() -> None:
    for model in ("openai", "anthropic", "llama-cpp"):
        assert translates(model, "sw", "is")
        assert translates(model, None, "hi")
        assert not any(
            model in backends_for(source, target) for source in (None, "en", "sw") for target in ("hi", "is")
        )


def test_what_a_language_model_is_told_leaves_the_keys_of_the_others_alone_and_the_other_way_round() -> None:
    neutral = {name: set(backend.neutral_params) for name, backend in STAGE.backends.items()}
    assert {"model", "address", "window", "instructions"} <= neutral["nllb"] & neutral["whisper"]
    assert {"num_beams", "dtype"} <= neutral["openai"]
    assert not {"target", "model", "address", "window", "instructions"} & neutral["openai"]


def test_the_stub_has_every_segment(tmp_path: Path) -> None:
    outputs = stub(a_job(tmp_path, "en", "hello", "bye", target="hi"))
    assert texts_of(outputs.translation) == [(0, "[hi] hello"), (1, "[hi] bye")]


class UnsureEngine:
    """Is sure of its first segment only."""

    def translate(self, work: Work) -> Sequence[str]:
        report_doubts(work, [UNSURE + 0.1, *[UNSURE - 0.1] * (len(work.segments) - 1)])
        return [f"text {segment.id}" for segment in work.segments]


def test_what_the_model_is_unsure_of_is_told_with_its_times(tmp_path: Path) -> None:
    job = a_job(tmp_path, "hi", *(f"say {number}" for number in range(8)))
    outputs = run(UnsureEngine(), job)
    assert isinstance(job.listener, Audience)
    assert job.listener.warnings == [
        "the model is unsure of its translation of 7 of 8 segments, which may say something else than was said: at"
        " 0:01, 0:02, 0:03, 0:04, 0:05, ..."
    ]
    assert job.facts["unsure"] == 7
    assert [one.unsure for one in Translation.read(outputs.translation).segments] == [False, *[True] * 7]


def test_a_translation_that_the_model_is_sure_of_passes_without_a_word(tmp_path: Path) -> None:
    job = a_job(tmp_path, "hi", "one")
    run(UnsureEngine(), job)
    assert isinstance(job.listener, Audience)
    assert (job.listener.warnings, job.facts["unsure"]) == ([], 0)
