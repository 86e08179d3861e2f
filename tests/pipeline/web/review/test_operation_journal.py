"""Claims about the journal: an acknowledged operation survives a kill at any byte, and each revision can be undone."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.base.errors import BadInput
from pipeline.web.review.operation_journal import OperationJournal, StaleRevision
from pipeline.web.review.operations import Draft, Item, Operation, OperationConflict, applied, cues_of, inverse
from shared.documents.cue import Cue
from tests.conftest import examples

START: dict[str, Item] = {
    f"en/{name}": Cue(start_ms=n * 1000, end_ms=n * 1000 + 900, lines=(name,)) for n, name in enumerate("abc")
}


def some_operations(data: st.DataObject, draft: Draft) -> list[Operation]:
    """Return operations that fit the draft."""
    found: list[Operation] = []
    now = dict(draft)
    for _ in range(data.draw(st.integers(1, 3))):
        name = f"en/{data.draw(st.sampled_from([*'abcdef']))}"
        start_ms = data.draw(st.integers(0, 9000))
        text = data.draw(st.text(max_size=8))
        cue = Cue(start_ms=start_ms, end_ms=start_ms + 500, lines=(text,))
        after = None if name in now and data.draw(st.booleans()) else cue
        found.append(Operation(id=name, before=now.get(name), after=after))
        now = applied(now, found[-1:])
    return found


@examples(1)
@given(st.data())
def test_a_kill_at_any_byte_loses_no_acknowledged_operation(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "draft" / "journal"
        journal = OperationJournal(path, START)
        drafts, ends = [START], [0]
        for number in range(data.draw(st.integers(1, 4))):
            assert journal.append(number, some_operations(data, journal.draft)).number == number + 1
            drafts.append(journal.draft)
            ends.append(path.stat().st_size)  # what has been acknowledged by now
        content = path.read_bytes()
        for cut in {*data.draw(st.lists(st.integers(0, len(content)), max_size=12)), *ends}:
            path.write_bytes(content[:cut])
            acknowledged = sum(end <= cut for end in ends) - 1
            again = OperationJournal(path, START)
            assert again.revision == acknowledged
            assert again.draft == drafts[acknowledged]
            again.append(acknowledged, some_operations(data, again.draft))  # goes on behind the cut
            assert OperationJournal(path, START).draft == again.draft


@examples(1)
@given(st.data())
def test_undo_takes_back_one_revision_after_the_other_also_after_a_restart(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal"
        journal = OperationJournal(path, START)
        drafts = [journal.draft]
        for number in range(data.draw(st.integers(1, 4))):
            journal.append(number, some_operations(data, journal.draft))
            drafts.append(journal.draft)
        for draft in reversed(drafts[:-1]):
            journal = OperationJournal(path, START)
            undone = journal.undo(journal.revision)
            assert undone is not None
            assert undone.undoes is not None
            assert journal.draft == draft
        assert journal.undo(journal.revision) is None


@examples(1)
@given(st.data())
def test_redo_takes_back_what_was_undone_until_something_else_is_done(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        journal = OperationJournal(Path(folder) / "journal", START)
        drafts, place = [journal.draft], 0  # as an editor shows them: the states, and the one that is shown
        for _ in range(data.draw(st.integers(1, 9))):
            number, what = journal.revision, data.draw(st.sampled_from(["do", "undo", "redo"]))
            if what == "do":
                journal.append(number, some_operations(data, journal.draft))
                drafts, place = [*drafts[: place + 1], journal.draft], place + 1
            elif what == "undo":
                assert (journal.undo(number) is not None) == (place > 0)
                place = max(place - 1, 0)
            else:
                assert (journal.redo(number) is not None) == (place + 1 < len(drafts))
                place = min(place + 1, len(drafts) - 1)
            assert journal.draft == drafts[place]
            assert OperationJournal(Path(folder) / "journal", START).draft == drafts[place]


def test_a_batch_that_comes_again_is_saved_once_also_after_a_restart(tmp_path: Path) -> None:
    journal = OperationJournal(tmp_path / "journal", START)
    gone = [Operation(id="en/a", before=START["en/a"])]
    first = journal.append(0, gone, "batch-one")
    journal.append(1, [Operation(id="en/b", before=START["en/b"])], "batch-two")
    for again in (journal, OperationJournal(tmp_path / "journal", START)):
        assert again.append(0, gone, "batch-one") == first
        assert again.revision == 2
    taken_back = journal.undo(2, "batch-undo")
    assert journal.undo(3, "batch-undo") == taken_back
    assert journal.revision == 3


@examples(1)
@given(st.data())
def test_an_inverse_takes_back_what_was_done(data: st.DataObject) -> None:
    operations = some_operations(data, START)
    assert applied(applied(START, operations), inverse(operations)) == START


def test_who_missed_a_revision_is_told_what_it_was_and_saves_nothing(tmp_path: Path) -> None:
    journal = OperationJournal(tmp_path / "journal", START)
    gone = Operation(id="en/a", before=START["en/a"])
    journal.append(0, [gone])
    with pytest.raises(StaleRevision) as stale:
        journal.append(0, [Operation(id="en/b", before=START["en/b"])])
    assert [revision.operations for revision in stale.value.missed] == [(gone,)]
    with pytest.raises(OperationConflict) as conflict:
        journal.append(1, [Operation(id="en/b", before=START["en/b"]), gone])
    assert conflict.value.operation == gone
    assert OperationJournal(tmp_path / "journal", START).revision == 1
    assert conflict.value.now is None
    assert [cue.lines for _, cue in cues_of(journal.draft, "en")] == [("b",), ("c",)]
    assert journal.since(0) == stale.value.missed


def test_damage_before_the_end_is_an_error_and_nothing_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    journal = OperationJournal(path, START)
    journal.append(0, [Operation(id="en/a", before=START["en/a"])])
    journal.append(1, [Operation(id="en/b", before=START["en/b"])])
    content = bytearray(path.read_bytes())
    content[30] ^= 1
    path.write_bytes(content)
    with pytest.raises(BadInput, match="line 1"):
        OperationJournal(path, START)
    assert path.read_bytes() == bytes(content)
