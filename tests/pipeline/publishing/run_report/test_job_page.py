"""The report on one job: what it shows, that it never changes by itself, and that nothing in it can act."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.base.display import readable
from pipeline.publishing.run_report.html import element, policy, spoken, table, text, within
from pipeline.publishing.run_report.job_facts import JobFacts
from pipeline.publishing.run_report.job_page import job_report
from pipeline.publishing.run_report.published import link_to_sound, report_of
from pipeline.publishing.run_report.sound_outline import sound_outline
from pipeline.store.results import StoredFile
from shared.documents.cue import Cue
from shared.documents.pins import Pin, Pins
from tests.fakes.made_job import REVISION, MadeJob, film, sound

EVIL = "<img src=x onerror=alert(1)><script>alert(2)</script>\"'&lt;"
FORBIDDEN = {"script", "img", "iframe", "object", "embed", "link", "base", "form", "video", "audio", "source", "image"}


class Parsed(HTMLParser):
    """The elements of a page, its text, and whether each element is closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.shown: list[str] = []
        self._open: list[str] = []
        self.feed(page)
        assert not self._open, self._open

    def handle_starttag(self, tag: str, attributes: Any) -> None:
        self.tags.append((tag, dict(attributes)))
        if tag not in {"meta", "path", "rect", "br"}:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in {"path", "rect"}:
            assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.shown.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.shown).split())

    def of(self, name: str, value: str) -> list[str]:
        """Return the values of an attribute of the elements with this tag."""
        return [str(attributes.get(value)) for tag, attributes in self.tags if tag == name]


def page_of(made: MadeJob) -> str:
    return report_of(made.job, made.results, made.materials, made.folder).decode()


def test_warnings_come_first_and_everything_that_was_made_and_used_follows(tmp_path: Path) -> None:
    made = film(tmp_path)
    made.missing["mux.video"] = "mux.failed"
    page = Parsed(page_of(made))
    assert [one for one in page.of("section", "id") if one != "None"] == [
        "warnings", "timeline", "doubts", "guide", "cues", "steps", "materials",
    ]  # fmt: skip
    shown = page.text
    order = ["mux.video", "one voice: Hello there.", "CC-BY-NC-4.0, no commercial use", "From beginning to end"]
    places = [shown.rindex(one) for one in order]
    assert places == sorted(places)
    assert "31.5 places a second; spoken at 30 places a second" in shown
    assert "lab/speech" in shown
    assert REVISION in shown
    assert "a" * 64 in shown  # the input
    assert "beam_size" in shown


def test_the_same_job_gives_the_same_bytes_from_results_in_memory_and_from_the_store(tmp_path: Path) -> None:
    made = film(tmp_path)
    backwards = dict(reversed(made.results.items()))  # the order in which steps ended differs from run to run
    first = report_of(made.job, made.results, made.materials, made.folder)
    assert report_of(made.job, backwards, made.materials, made.folder) == first
    assert report_of(made.job, made.materials.results_of(made.job), made.materials, made.folder) == first


def test_a_report_leaves_itself_out_since_it_cannot_hold_its_own_digest(tmp_path: Path) -> None:
    made = film(tmp_path)
    before = page_of(made)
    made.files["report.html"], made.origins["report.html"] = "f" * 64, "report"
    assert page_of(made) == before


def test_no_name_and_no_text_becomes_markup_and_nothing_is_fetched(tmp_path: Path) -> None:
    made = film(tmp_path, text=EVIL)
    made.media = f"/films/{EVIL}.mp4"
    made.files[f"{EVIL}.srt"], made.origins[f"{EVIL}.srt"] = "d" * 64, f"subtitle.{EVIL}"
    made.missing[EVIL], made.edits[EVIL] = EVIL, "d" * 64
    made.add(EVIL, EVIL, {}, warnings=[EVIL], params={EVIL: EVIL}, facts={EVIL: EVIL})
    content = page_of(made)
    page = Parsed(content)
    assert not {tag for tag, _ in page.tags} & FORBIDDEN
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on") or name == "style"]
    assert page.text.count("<script>alert(2)</script>") > 10  # as text
    links = [one for one in page.of("a", "href") if not one.startswith("#")]
    assert links
    assert all(re.fullmatch(r"\.\./[^:<>\"']*#t=[\d.]+", one) for one in links), links[0]
    assert not re.findall(r"""(?:src|href|url|action|content)\s*[=(]\s*["']?\s*https?:""", content)


def test_control_characters_and_halves_of_characters_are_shown_escaped() -> None:
    assert text("a\x00b\x1b[31m\u202egnp.exe\ud800") == r"a\x00b\x1b[31m\u202egnp.exe\ud800"
    assert element("p", "a < b", title='"x"', hidden=True, lang=None) == '<p title="&quot;x&quot;" hidden>a &lt; b</p>'


def test_marks_of_writing_direction_count_in_words_of_a_film_and_not_in_names() -> None:
    assert spoken("\u2067\u0645\u2069 <b>\x00\ud800") == "\u2067\u0645\u2069 &lt;b&gt;\ufffd\ufffd"
    assert text("\u2067") == r"\u2067"


@given(st.lists(st.text(), max_size=5))
def test_markup_of_any_text_is_well_formed_and_holds_that_text(cells: list[str]) -> None:
    tree = ElementTree.fromstring(table(["x"] * len(cells), [cells], "any"))
    assert ["".join(cell.itertext()) for cell in tree.iter("td")] == [readable(cell) for cell in cells]


@given(st.lists(st.text(alphabet="ab", min_size=1), max_size=20), st.integers(0, 60))
def test_a_list_that_is_too_long_loses_rows_and_says_how_many(rows: list[str], size: int) -> None:
    kept, left = within([text(row) for row in rows], size)
    assert len(kept) + left == len(rows)
    assert sum(map(len, kept)) <= size


@pytest.mark.parametrize(("cues", "languages"), [(2_400, "en hi ar"), (500, "en hi ar de es fr it ja ko nl pl pt")])
def test_a_report_stays_below_a_megabyte(tmp_path: Path, cues: int, languages: str) -> None:
    made = film(
        tmp_path, cues=cues, languages=languages.split(), text='\u092f\u0939 \u090f\u0915 <line> of "text" & more'
    )
    made.media = "/" + "a folder with a long name/" * 8 + "film.mp4"
    page = page_of(made).encode()
    assert len(page) <= 1_000_000
    assert b"more cues not listed here" in page


def test_a_stored_result_that_was_deleted_is_named_and_all_else_is_shown(tmp_path: Path) -> None:
    made = film(tmp_path)
    speech, cues = made.results["demux"].outputs["speech"], made.results["subtitle"].outputs["cues"]
    for file in (speech, cues):
        assert isinstance(file, StoredFile)
        made.store.path(file).unlink()
    del made.results["vad"]
    page = Parsed(page_of(made))
    assert "the results of these steps are no longer stored: vad" in page.text
    assert "demux.speech, subtitle.cues" in page.text
    assert "timeline" in page.of("section", "id")
    assert "guide" not in page.of("section", "id")


def test_corrections_are_shown_before_and_after_with_their_times(tmp_path: Path) -> None:
    def cue(*lines: str, start_ms: int = 1_000) -> Cue:
        return Cue(start_ms=start_ms, end_ms=start_ms + 900, lines=lines)

    made = film(tmp_path)
    made.edits["film.en.srt"] = "d" * 64
    pins = (
        Pin(id="1", correction=0, before=(cue("Helo", "there."),), cues=(cue("Hello", "there."),)),
        Pin(id="2", correction=0, before=(cue("Bye."),), cues=(), source="Adeus.", source_now="Até logo."),
        Pin(id="3", correction=0, before=(cue("Yes."),), cues=(cue("Yes.", start_ms=1_200),), fixed=True),
    )
    made.add("correct", "correct", {"pins": Pins(pins=pins)})
    page = Parsed(page_of(made))
    assert "Corrected by hand, in film.en.srt." in page.text
    assert "Helo / there.Hello / there." in page.text
    assert "made for `Adeus.`, which is now `Até logo.`; check it" in page.text
    assert "the times of Yes." in page.text


def test_a_model_whose_lock_has_changed_since_is_not_given_another_commit(tmp_path: Path) -> None:
    made = film(tmp_path)
    locked = made.cache.locked["speech-model"]
    file = locked.files["w"].model_copy(update={"sha256": "1" * 64})
    made.cache.locked = {"speech-model": locked.model_copy(update={"files": {"w": file}})}
    page = Parsed(page_of(made))
    assert REVISION not in page.text
    assert "not that of the present lock" in page.text


def test_times_lead_to_the_media_file_or_to_a_film_that_a_browser_plays(tmp_path: Path) -> None:
    made = film(tmp_path)
    made.media = str(tmp_path / "my films" / "50% #1.mp4")
    here = link_to_sound(made.job, made.folder, made.folder)
    assert here(12_345) == "../../my%20films/50%25%20%231.mp4#t=12.345"
    assert here(3 * 3_600_000 + 1) == "../../my%20films/50%25%20%231.mp4#t=10800.001"
    made.media, made.origins["film.mp4"] = "/films/film.mkv", "mux.video"
    assert link_to_sound(made.job, made.folder, made.folder)(0) == "film.mp4#t=0"
    assert link_to_sound(made.job, made.folder, made.folder.parent)(0) == "film/film.mp4#t=0"


def test_the_policy_lets_the_style_in_and_nothing_else(tmp_path: Path) -> None:
    page = Parsed(page_of(film(tmp_path)))
    assert page.of("meta", "content")[2] == policy()
    assert policy().startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy()


@pytest.mark.parametrize("seconds", [0.0, 0.01, 1.0, 100.0])
def test_the_outline_of_a_sound_has_its_extremes_and_at_most_2000_points(tmp_path: Path, seconds: float) -> None:
    path = tmp_path / "sound.wav"
    path.write_bytes(sound(seconds))
    points = sound_outline(path)
    assert len(points) == min(round(seconds * 50), 2_000)
    assert all(low == -79 and high == 78 for low, high in points)  # 20,000 of 32,768


def test_a_file_that_is_not_such_a_sound_has_no_outline(tmp_path: Path) -> None:
    path = tmp_path / "sound.wav"
    for content in (b"", b"RIFF", b"no sound" * 100, sound(1.0)[:30]):
        path.write_bytes(content)
        assert sound_outline(path) == []
    assert sound_outline(tmp_path / "none.wav") == []


def test_a_job_of_which_nothing_is_known_still_has_a_report(tmp_path: Path) -> None:
    made = MadeJob(tmp_path)
    page = Parsed(job_report(JobFacts(made.job, {}, made.materials), lambda start_ms: None))
    assert "film.mp4" in page.text
    assert [one for one in page.of("section", "id") if one != "None"] == ["warnings", "steps", "materials"]


def test_a_job_without_subtitles_shows_its_text(tmp_path: Path) -> None:
    made = film(tmp_path, languages=())
    page = Parsed(page_of(made))
    assert "6 segments in English" in page.text
    assert "text" in page.of("section", "id")
