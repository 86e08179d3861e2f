"""A person corrects a transcript in the browser: by keys, by mouse, in any language, with a screen reader."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.conftest import ROOT
from tests.pipeline.web.browser.conftest import Open, Picture, faults
from tests.pipeline.web.browser.reviewed import (
    ARABIC,
    HEBREW,
    LINES,
    MARKUP,
    NAME,
    Review,
    chosen,
    is_saved,
    press,
    ready,
    row,
    text_box,
)  # fmt: skip

pytestmark = pytest.mark.slow  # they start a browser


def test_doubts_are_walked_heard_and_corrected_by_keys_alone(review: Review, open_page: Open) -> None:
    page = ready(open_page(review.server, review.path).page)
    expect(page.locator("#doubts-count")).to_have_text(str(len(review.document["doubts"])))
    press(page, "Alt+n")
    expect(page.locator("#walk")).to_contain_text("Unsure words")
    assert chosen(page) == "nothing at all"
    expect(page.get_by_role("button", name="Stop")).to_be_visible()  # it is heard at once
    press(page, "Alt+k")
    assert chosen(page) == "Marta"
    page.keyboard.type("Martha")
    press(page, "Enter")
    expect(page.locator("#walk")).to_contain_text("Thanks for <b>watching</b>!")
    press(page, "Alt+g")
    dialog = page.get_by_role("dialog", name="Fix everywhere")
    expect(dialog).to_contain_text("2 cues have this text")
    press(page, "Enter")
    is_saved(page)
    assert [line for line in review.lines if "Mart" in line] == [
        "Yesterday we met Martha.", "The dog of Martha was here.", "Then Martha said hello.",
    ]  # fmt: skip
    press(page, "Alt+n", "Alt+k")
    expect(page.locator("#doubts-count")).to_have_text("0")
    is_saved(page)
    settled = [one for one in review.document["doubts"] if one["right"]]
    assert {one["kind"] for one in settled} == {"unsure", "removed"}


def test_cues_are_split_merged_timed_added_and_given_to_speakers_by_keys(review: Review, open_page: Open) -> None:
    page = ready(open_page(review.server, review.path).page)
    press(page, "Home", "Enter", "Control+Home", *["ArrowRight"] * len("Good evening, "), "Alt+s")
    is_saved(page)
    assert review.lines[:2] == ["Good evening,", "dear friends of the cinema."]
    cues = [one["cue"] for one in review.document["cues"]][:2]
    assert cues[0]["end_ms"] == cues[1]["start_ms"] == 500 + 2 * 320  # where `dear` is heard
    press(page, "Alt+ArrowUp", "Alt+m")
    is_saved(page)
    assert review.lines[0] == "Good evening,\ndear friends of the cinema."
    press(page, "Escape", "Alt+2")
    is_saved(page)
    assert review.document["cues"][0]["cue"]["speaker"] == "SPEAKER_01"
    press(page, "Alt+Shift+ArrowRight")
    is_saved(page)
    assert review.document["cues"][0]["cue"]["start_ms"] == 540
    press(page, "Alt+p")
    page.keyboard.type("Zoë")
    press(page, "Tab", "Tab")  # over the button to hear
    page.keyboard.type("Zoë")
    press(page, "Enter")
    is_saved(page)
    assert {one["name"] for one in review.document["speakers"]} == {"Zoë"}
    expect(page.locator(".cue .speaker").first).to_have_text("Zoë")
    press(page, "End", "Alt+i")
    page.keyboard.type("New")
    press(page, "Escape")
    is_saved(page)
    assert "New" in review.lines


def test_the_mouse_does_all_that_keys_do_and_a_press_beside_a_dialog_loses_nothing(
    review: Review, open_page: Open
) -> None:
    page = ready(open_page(review.server, review.path).page)
    row(page, "Then Marta said hello.").click()
    text_box(page).fill("Then Martha said hello.")
    page.get_by_role("button", name="Find").click()
    dialog = page.get_by_role("dialog", name="Find and replace")
    dialog.get_by_label("Find", exact=True).fill("dog")
    page.mouse.click(5, 5)  # beside it
    expect(dialog.get_by_label("Find", exact=True)).to_have_value("dog")
    dialog.get_by_label("Replace with").fill("cat")
    dialog.get_by_role("button", name="Replace in 1 cue").click()
    is_saved(page)
    assert [review.lines[2], review.lines[3]] == ["The cat of Marta was here.", "Then Martha said hello."]
    wave = page.locator("#wave").bounding_box()
    assert wave
    start = review.document["cues"][0]["cue"]["start_ms"]
    row(page, "Good evening").click()
    before = page.get_by_label("Begins").input_value()
    x = wave["x"] + wave["width"] * start / 12_600  # 9 ms a pixel at 1400 pixels
    page.mouse.move(x, wave["y"] + 20)
    page.mouse.down()
    page.evaluate("new Promise(requestAnimationFrame)")  # an edge is held while the wave is painted
    page.keyboard.press("Alt+Equal")
    page.evaluate("new Promise(requestAnimationFrame)")
    page.keyboard.press("Alt+Slash")
    page.mouse.move(x + 30, wave["y"] + 20, steps=3)
    page.mouse.up()
    expect(page.get_by_label("Begins")).not_to_have_value(before)
    is_saved(page)
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_label("Begins")).to_have_value(before)
    page.get_by_role("button", name="Redo").click()
    expect(page.get_by_label("Begins")).not_to_have_value(before)
    page.get_by_label("Speaker", exact=True).select_option("new speaker")
    expect(row(page, "Good evening").locator(".speaker")).to_have_text("Speaker 3")
    page.get_by_role("button", name="Hear", exact=True).click()
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    text_box(page).fill("Good evening, dear folks of the cinema.")
    page.get_by_role("button", name="Fix everywhere").click()
    expect(page.get_by_role("dialog", name="Fix everywhere").get_by_label("Replace with")).to_have_value("folks")


def test_markup_and_every_direction_of_writing_are_shown_as_text_and_opening_changes_no_byte(
    review: Review, open_page: Open, picture: Picture
) -> None:
    before = review.published
    page = ready(open_page(review.server, review.path).page)
    expect(page.get_by_role("heading", level=1)).to_have_text(NAME)
    expect(row(page, MARKUP)).to_be_visible()
    assert page.locator("#list img, #list b, #overlay img").count() == 0
    for text in (ARABIC, HEBREW):
        row(page, text).click()
        expect(text_box(page)).to_have_value(text)
        assert text_box(page).evaluate("box => getComputedStyle(box).direction") == "rtl"
        assert row(page, text).locator(".text").evaluate("node => getComputedStyle(node).direction") == "rtl"
        assert page.locator("#overlay").evaluate("node => node.innerText.trim()") == text
    picture(page, "review-right-to-left")
    press(page, "Alt+n")
    expect(page.locator("#walk")).to_be_visible()
    page.get_by_label("Language of the subtitles").select_option("pt")
    expect(page.locator("#walk")).to_be_hidden()  # it was a doubt of the other language
    expect(page.locator(".cue .original").first).to_have_text("Good evening, dear friends of the cinema.")
    assert review.published == before


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_a_screen_reader_finds_no_serious_fault_in_any_state(
    review: Review, open_page: Open, picture: Picture, dark: bool
) -> None:
    scheme = "dark" if dark else "light"
    for width in (1400, 1024, 390):
        page = ready(open_page(review.server, review.path, width=width, dark=dark).page)
        picture(page, f"review-{width}-{scheme}")
        press(page, "Alt+n")
        expect(page.locator("#walk")).to_be_visible()
        picture(page, f"review-{width}-{scheme}-doubt")
        assert not faults(page)
        for keys, name in (("Alt+p", "Speakers"), ("Control+f", "Find and replace"), ("F4", "Keys")):
            press(page, keys)
            expect(page.get_by_role("dialog", name=name)).to_be_visible()
            picture(page, f"review-{width}-{scheme}-{name.split()[0].lower()}")
            assert width != 1400 or not faults(page)
            press(page, "Escape")
        overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert page.evaluate(overflow) <= 0
        page.set_viewport_size({"width": width // 2, "height": 450})  # as where letters are twice as large
        assert page.evaluate(overflow) <= 0
        assert page.locator("#list").evaluate("list => list.clientHeight") > 100
        expect(page.get_by_role("link", name="reel: the queue")).to_be_visible()


def test_the_steps_of_the_how_to_are_followed_and_its_keys_are_those_of_the_page(
    review: Review, open_page: Open
) -> None:
    text = (ROOT / "docs" / "how-to" / "correct-in-the-browser.md").read_text(encoding="utf-8")
    page = ready(open_page(review.server, review.path).page)
    steps = re.findall(r"^\d+\. (Press|Type) `([^`]+)`", text, re.MULTILINE)
    assert len(steps) == 7
    for verb, what in steps:
        if verb == "Type":
            assert chosen(page)
            page.keyboard.type(what)
        else:
            press(page, re.sub(r"^Ctrl", "Control", what))
    dialog = page.get_by_role("dialog", name="Apply the corrections")
    expect(dialog.get_by_role("status")).to_contain_text("made again in")
    review.drop_edits()
    script = """async () => {
      const { KEYS, readable } = await import("/static/review/keys.js");
      return KEYS.flatMap((one) => [...one.keys.map(readable), ...(one.shown ?? [])]);
    }"""
    known = {*page.evaluate(script), "Alt+1", "Alt+9"}
    told = set(re.findall(r"`((?:Ctrl|Alt|Shift)\+[^`]+|Enter|Esc|Space|\?)`", text))
    assert told <= known, told - known


def test_a_key_is_changed_and_changed_back(review: Review, open_page: Open) -> None:
    page = ready(open_page(review.server, review.path).page)
    press(page, "F4")
    dialog = page.get_by_role("dialog", name="Keys")
    dialog.get_by_role("button", name="Alt+N: next doubt").press("Enter")
    press(page, "j")
    expect(dialog.get_by_role("status")).to_contain_text("together with Ctrl or Alt")
    press(page, "Alt+s")
    expect(dialog.get_by_role("status")).to_have_text("Alt+S already means “split at the cursor and the playhead”.")
    press(page, "Escape")
    expect(dialog.get_by_role("button", name="Alt+N: next doubt")).to_be_focused()
    press(page, "Enter", "Alt+j")
    expect(dialog.get_by_role("button", name="Alt+J: next doubt")).to_be_focused()
    assert not faults(page)
    page.reload()
    press(ready(page), "Alt+n")
    expect(page.locator("#walk")).to_be_hidden()
    press(page, "Alt+j")
    expect(page.locator("#walk")).to_be_visible()
    press(page, "F4")
    dialog.get_by_role("button", name="Undo all changes").click()
    expect(dialog.get_by_role("button", name="Alt+N: next doubt")).to_be_visible()


def test_each_row_says_its_place_and_the_focus_is_seen(review: Review, open_page: Open) -> None:
    page = ready(open_page(review.server, review.path).page)
    listbox = page.get_by_role("listbox", name="Cues")
    expect(listbox).to_be_focused()
    press(page, "ArrowDown")
    active = listbox.get_attribute("aria-activedescendant")
    chosen_row = page.locator(f"[id='{active}']")
    expect(chosen_row).to_have_attribute("aria-posinset", "2")
    expect(chosen_row).to_have_attribute("aria-setsize", str(len(LINES)))
    assert chosen_row.evaluate("node => getComputedStyle(node).outlineStyle") == "solid"
    assert _tabbed(page) >= {"list", "play", "edit-text", "edit-start", "edit-end", "edit-speaker", "apply", "doubts"}


def _tabbed(page: Page) -> set[str]:
    """Return the ids that the tabulator key reaches."""
    found = set()
    for _ in range(40):
        press(page, "Tab")
        found.add(page.evaluate("document.activeElement.id"))
    return found


def test_a_film_that_shows_no_picture_gives_way_to_words(review: Review, open_page: Open) -> None:
    tab = open_page(review.server, "/")
    document = review.document
    document["picture"] |= {"tier": "original", "href": "picture", "type": "video/mp4"}
    tab.page.route(f"**{review.api}", lambda route: route.fulfill(json=document))
    tab.expect_status(404)
    tab.page.goto(f"{review.server.url}{review.path}")
    expect(ready(tab.page).locator("#no-picture")).to_have_text("this browser cannot play the film")


def test_a_film_in_which_no_speech_was_found_says_so_and_takes_a_first_cue(review: Review, open_page: Open) -> None:
    page = open_page(review.server, "/").page
    document = review.document | {"cues": [], "doubts": [], "words": [], "speakers": []}
    page.route(f"**{review.api}", lambda route: route.fulfill(json=document))
    page.goto(f"{review.server.url}{review.path}")
    expect(ready(page).get_by_text("No speech was found")).to_be_visible()
    assert not faults(page)
    page.get_by_role("button", name="New cue at the playhead").click()
    page.keyboard.type("The first.")
    press(page, "Escape")
    expect(row(page, "The first.")).to_be_visible()
    expect(page.get_by_text("No speech was found")).to_be_hidden()


def test_a_film_that_is_not_there_is_told_with_the_way_back(review: Review, open_page: Open) -> None:
    tab = open_page(review.server, "/review/0000000000000000")
    tab.expect_status(404)
    expect(tab.page.get_by_role("heading", name="There is no such film here")).to_be_visible()
    tab.page.get_by_role("link", name="Go to the queue").click()
    expect(tab.page).to_have_url(f"{review.server.url}/")


def test_an_address_with_a_time_leads_there_and_a_reload_to_the_last_place(review: Review, open_page: Open) -> None:
    cues = [one["cue"] for one in review.document["cues"] if one["track"] == "en"]
    start = f"{cues[3]['start_ms'] / 1000:.3f}"
    page = ready(open_page(review.server, f"{review.path}#t={start}").page)
    expect(row(page, "Then Marta said hello.")).to_have_attribute("aria-selected", "true")
    expect(page.get_by_label("Time", exact=True)).to_have_text(f"0:{start.zfill(6)}")
    press(page, "ArrowDown")
    page.reload()
    ready(page)
    expect(row(page, MARKUP)).to_have_attribute("aria-selected", "true")
    expect(page.get_by_label("Time", exact=True)).to_have_text(f"0:{cues[4]['start_ms'] / 1000:06.3f}")
    page.evaluate("location.hash = 't=1e9'")  # no time
    page.evaluate("location.hash = 't=99999'")  # after the end
    expect(row(page, "Good night.")).to_have_attribute("aria-selected", "true")
