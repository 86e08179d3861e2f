"""Corrections are never lost, and overwrite nothing: after a reload, in two tabs, offline, beside an editor."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from tests.pipeline.web.browser.conftest import Open, faults
from tests.pipeline.web.browser.reviewed import GLOSSARY, Review, is_saved, press, ready, row, text_box

pytestmark = pytest.mark.slow  # they start a browser


def test_undo_goes_back_through_a_reload_and_to_the_place(review: Review, open_page: Open) -> None:
    before = review.lines
    page = ready(open_page(review.server, review.path).page)
    press(page, "Home", "ArrowDown", "Enter", "End")
    page.keyboard.type(" Really.")
    press(page, "Enter", "Escape", "ArrowDown", "Alt+Backspace")
    is_saved(page)
    assert review.lines[1] == "Yesterday we met Marta. Really."
    assert len(review.lines) == len(before) - 1
    page.reload()
    ready(page)
    press(page, "Control+z")
    expect(row(page, "Then Marta said hello.")).to_have_attribute("aria-selected", "true")
    press(page, "Control+z")
    expect(text_box(page)).to_have_value("Yesterday we met Marta.")
    is_saved(page)
    assert review.lines == before
    press(page, "Control+y")
    expect(text_box(page)).to_have_value("Yesterday we met Marta. Really.")


def test_a_second_tab_reads_along_and_may_take_over(review: Review, open_page: Open) -> None:
    first = ready(open_page(review.server, review.path).page)
    second = ready(open_page(review.server, review.path, context=first.context).page)
    expect(second.get_by_role("region", name="Notice")).to_contain_text("open in another tab")
    expect(text_box(second)).not_to_be_editable()
    for name in ("Split", "Apply"):
        expect(second.get_by_role("button", name=name)).to_be_disabled()
    row(first, "Good night.").click()
    text_box(first).fill("Good night, all.")
    press(first, "Escape")
    expect(row(second, "Good night, all.")).to_be_visible()
    second.get_by_role("button", name="Take over").click()
    expect(text_box(second)).to_be_editable()
    expect(second.get_by_role("button", name="Split")).to_be_enabled()
    expect(text_box(first)).not_to_be_editable()
    row(second, "Good night, all.").click()
    text_box(second).fill("Good night.")
    press(second, "Escape")
    expect(row(first, "Good night, all.")).to_have_count(0)


def test_corrections_from_two_browsers_are_merged_or_decided(review: Review, open_page: Open) -> None:
    tab = open_page(review.server, review.path)
    tab.expect_status(412)
    page = ready(tab.page)
    review.save(review.retext(0, "From elsewhere."))
    row(page, "Good night.").click()
    text_box(page).fill("Good night to you.")
    press(page, "Escape")
    expect(row(page, "From elsewhere.")).to_be_visible()
    is_saved(page)
    assert (review.lines[0], review.lines[-1]) == ("From elsewhere.", "Good night to you.")
    review.save(review.retext(2, "Theirs."))
    row(page, "The dog of Marta").click()
    text_box(page).fill("Mine.")
    press(page, "Escape")
    dialog = page.get_by_role("dialog", name="Corrected twice")
    expect(dialog).to_contain_text("Mine.")
    expect(dialog).to_contain_text("Theirs.")
    press(page, "Escape")
    dialog.get_by_role("button", name="Keep mine").click()
    is_saved(page)
    expect(row(page, "Mine.")).to_be_visible()
    assert review.lines[2] == "Mine."


def test_what_is_corrected_and_typed_without_a_line_is_saved_later(review: Review, open_page: Open) -> None:
    tab = open_page(review.server, review.path)
    tab.expect_status(0)
    page, context = ready(tab.page), tab.page.context
    context.set_offline(True)
    row(page, "Good night.").click()
    text_box(page).fill("Good night, and good luck.")
    press(page, "Escape")
    expect(page.locator("#saved")).to_have_text("offline: 1 correction kept here")
    row(page, "The dog of Marta").click()
    text_box(page).fill("The dog of Marta was")  # and the page is closed in the middle
    expect(page.locator("#overlay")).to_be_attached()
    typed = "() => new Promise(done => { const open = indexedDB.open('reel-review'); open.onsuccess = () => {"
    typed += "const all = open.result.transaction('typed').objectStore('typed').getAll();"
    typed += "all.onsuccess = () => { open.result.close(); done(all.result.map(one => one.text)); } } })"
    while page.evaluate(typed) != ["The dog of Marta was"]:
        page.wait_for_timeout(20)
    page.close()
    assert "Good night." in review.lines
    context.set_offline(False)
    again = ready(open_page(review.server, review.path, context=context).page)
    is_saved(again)
    expect(text_box(again)).to_have_value("The dog of Marta was")
    assert (review.lines[-1], review.lines[2]) == ("Good night, and good luck.", "The dog of Marta was")


def test_applying_shows_the_steps_and_then_nothing_is_left_to_apply(review: Review, open_page: Open) -> None:
    page = ready(open_page(review.server, review.path).page)
    press(page, "Control+Enter")
    expect(page.locator(".toast")).to_contain_text("nothing to apply")
    press(page, "End", "Enter", "End")
    page.keyboard.type(" Sleep well.")
    press(page, "Control+Enter")
    dialog = page.get_by_role("dialog", name="Apply the corrections")
    expect(dialog.get_by_role("status")).to_contain_text("made again in")
    expect(dialog.locator(".chip", has_text="correct")).to_have_attribute("data-state", "good")
    expect(dialog.get_by_text("Kept: demux, ")).to_contain_text(", asr, ")
    press(page, "Enter")
    expect(dialog).to_have_count(0)
    ready(page)
    expect(page.locator("[aria-selected=true]")).to_contain_text("Good night.")
    document = review.document
    assert (document["open"], document["apply"]["state"]) == (0, "done")
    press(page, "Enter", "End")
    page.keyboard.type(" Really.")
    press(page, "Control+Enter")
    expect(dialog).to_be_visible()
    press(page, "Escape")  # the run goes on without it
    expect(page.locator(".toast")).to_contain_text("made again in")
    page.get_by_role("button", name="Show").click()
    ready(page)
    expect(page.locator("#saved")).to_have_text("no corrections yet")
    review.drop_edits()


@pytest.mark.parametrize(("choice", "sent"), [("This page counts", "page"), ("The edited file counts", "file")])
def test_a_file_that_was_edited_on_the_disk_too_is_shown_and_a_person_chooses(
    review: Review, open_page: Open, choice: str, sent: str
) -> None:
    srt = next(Path(review.document["folder"]).glob("*.en.srt"))
    edited = "1\n00:00:19,540 --> 00:00:20,180\nGood night from the disk.\n"
    srt.write_text(edited, encoding="utf-8")
    before = review.published
    tab = open_page(review.server, review.path)
    tab.expect_status(409)
    page = ready(tab.page)
    row(page, "Good night.").click()
    text_box(page).fill("Good night from the page.")
    press(page, "Control+Enter")
    dialog = page.get_by_role("dialog", name="A file was edited on the disk too")
    expect(dialog).to_contain_text("Good night from the disk.")
    expect(dialog).to_contain_text("Good night. → Good night from the page.")
    assert not faults(page)
    page.mouse.click(5, 5)  # beside it
    press(page, "Escape")
    expect(dialog).to_have_count(0)
    assert (review.published, review.document["open"]) == (before, 1)
    press(page, "Control+Enter")
    with page.expect_request("**/apply") as request:
        dialog.get_by_role("button", name=choice).click()
    assert request.value.post_data_json == {"on_disk": sent}
    applied = page.get_by_role("dialog", name="Apply the corrections")
    expect(applied.get_by_role("status")).to_contain_text("made again in")
    kept = review.server.ask("GET", f"{review.api}/edits").data["edits"]
    assert {Path(one["file"]).suffix for one in kept} == {".srt", ".json"}, "both are corrections now"
    assert srt.read_text(encoding="utf-8") == edited
    review.drop_edits()


def test_a_word_that_is_fixed_everywhere_is_offered_to_the_glossary(review: Review, open_page: Open) -> None:
    page = ready(open_page(review.server, review.path).page)

    def fix(old: str, new: str) -> Locator:
        """Correct a word in its first cue; return the dialog that offers the other places."""
        row(page, old).first.click()
        text_box(page).fill(text_box(page).input_value().replace(old, new))
        press(page, "Alt+g")
        return page.get_by_role("dialog", name="Fix everywhere")

    dialog = fix("Marta", "Martha")
    offer = dialog.get_by_label("Add “Martha” to the glossary names.csv")
    expect(offer).not_to_be_checked()
    press(page, "Enter")
    is_saved(page)
    assert review.glossary.read_text(encoding="utf-8") == GLOSSARY, "nothing is written unasked"
    dialog = fix("Martha", "Märta")
    press(page, "Shift+Tab", "Shift+Tab", "Space")
    expect(dialog.locator("pre")).to_have_text("Märta")
    assert not faults(page)
    press(page, "Enter")
    expect(page.locator(".toast")).to_have_text("“Märta” is in the glossary.")
    assert review.glossary.read_text(encoding="utf-8") == f"{GLOSSARY}Märta\n"
    is_saved(page)
    assert len([line for line in review.lines if "Märta" in line]) == 3
    dialog = fix("hello", "Reel")
    expect(dialog.get_by_label("Add")).to_be_hidden()  # the glossary has it
