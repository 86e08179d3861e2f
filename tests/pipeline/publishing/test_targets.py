"""Names for published files are free or reel's own, and only reel's own files are replaced or deleted."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, field
from typing import Literal

import pytest

from pipeline.publishing.names import NameRules
from pipeline.publishing.targets import Answer, Published, RequestedFile, Target, Targets

RULES = NameRules(255, portable=False)
NAME, FREE, NEXT = "film.en.srt", "film.reel.en.srt", "film.reel-2.en.srt"
NEW, OLD, THEIRS, EDIT = "new", "old", "their", "edit"  # contents; each stands for its digest
Kind = Literal["nothing", "file", "media", "other"]


@dataclass
class View:
    """A folder: the content of each file by its name, and what is not a regular file."""

    files: dict[str, str] = field(default_factory=dict)
    others: dict[str, Kind] = field(default_factory=dict)
    unchanged: Set[str] = frozenset()  # files that still are what reel put there, although they rotted

    def kind(self, name: str) -> Kind:
        return self.others.get(name, "file" if name in self.files else "nothing")

    def size(self, name: str) -> int:
        return len(self.files[name])

    def sha256(self, name: str) -> str:
        return self.files[name]

    def is_unchanged(self, name: str) -> bool:
        return name in self.unchanged


def wanted(*accepted: str) -> RequestedFile:
    return RequestedFile("film", ".en.srt", NEW, len(NEW), frozenset(accepted))


def chosen(view: View, published: Published | None = None, *accepted: str, replace: bool = False) -> tuple[str, Answer]:
    target = Targets(published or Published(), view, RULES, replace=replace).choose(wanted(*accepted))
    assert target.usual_name == NAME
    return target.name, target.answer


PUBLISHED = Published({NAME: {OLD}})


@pytest.mark.parametrize(
    ("view", "published", "kept", "replaced"),
    [
        (View(), Published(), (NAME, Answer.CREATE), (NAME, Answer.CREATE)),
        (View({NAME: THEIRS}), Published(), (FREE, Answer.CREATE), (NAME, Answer.REPLACE)),
        (View({NAME: THEIRS, FREE: THEIRS}), Published(), (NEXT, Answer.CREATE), (NAME, Answer.REPLACE)),
        (View({NAME: NEW}), Published(), (NAME, Answer.SAME_AS_THEIRS), (NAME, Answer.THERE)),
        (View({NAME: OLD}), PUBLISHED, (NAME, Answer.REPLACE), (NAME, Answer.REPLACE)),
        (View({NAME: NEW}), PUBLISHED, (NAME, Answer.THERE), (NAME, Answer.THERE)),
        (View({NAME: EDIT}), PUBLISHED, (NAME, Answer.EDITED), (NAME, Answer.EDITED)),
        (View({NAME: "rot"}, unchanged={NAME}), PUBLISHED, (NAME, Answer.REPLACE), (NAME, Answer.REPLACE)),
        (View(others={NAME: "media"}), PUBLISHED, (FREE, Answer.CREATE), (FREE, Answer.CREATE)),
        (View(others={NAME: "other"}), Published(), (FREE, Answer.CREATE), (FREE, Answer.CREATE)),
    ],
)
def test_a_name_is_free_or_reels_own_unless_the_user_gives_others_up(
    view: View, published: Published, kept: tuple[str, Answer], replaced: tuple[str, Answer]
) -> None:
    assert chosen(view, published) == kept
    assert chosen(view, published, replace=True) == replaced


def test_a_file_of_equal_length_is_not_the_same_file() -> None:
    assert len(NEW) == len("few")
    assert Targets(Published(), View({NAME: "few"}), RULES).choose(wanted()) == Target(NAME, FREE, Answer.CREATE)


def test_a_correction_is_replaced_only_by_a_file_that_contains_it() -> None:
    view, lost = View({NAME: EDIT}), Published({NAME: {OLD, EDIT}}, lost={NAME: EDIT})
    assert chosen(view, PUBLISHED, EDIT) == (NAME, Answer.REPLACE)
    assert chosen(view, lost) == (NAME, Answer.EDITED), "it exists nowhere else"
    assert chosen(view, lost, EDIT) == (NAME, Answer.REPLACE)


def test_the_name_that_an_earlier_job_chose_comes_first_while_its_file_is_there() -> None:
    moved = Published({FREE: {OLD}}, renamed={FREE: NAME})
    assert chosen(View({FREE: OLD}), moved) == (FREE, Answer.REPLACE)
    assert chosen(View({FREE: OLD}), moved, replace=True) == (NAME, Answer.CREATE)
    assert chosen(View(), moved) == (NAME, Answer.CREATE)
    assert chosen(View({FREE: OLD}), Published({}, renamed={FREE: NAME})) == (NAME, Answer.CREATE)


def test_no_name_is_given_twice_whatever_its_letter_case() -> None:
    targets = Targets(Published(), View(), RULES, reserved=["FILM.reel.en.srt"])
    assert targets.choose(wanted()) == Target(NAME, NAME, Answer.CREATE)
    assert targets.choose(RequestedFile("Film", ".en.srt", OLD, 3)).name == "Film.reel-2.en.srt"
    assert wanted().name == NAME


def test_files_of_an_earlier_job_are_left_over_if_they_are_reels_own_and_nothing_took_their_names() -> None:
    names = [NAME, "old.srt", "edited.srt", "lost.srt", "kept.srt", "gone.srt", "rotten.srt"]
    published = Published({name: {OLD} for name in names}, lost={"lost.srt": OLD})
    files = {name: OLD for name in names if name != "gone.srt"} | {"edited.srt": EDIT, "rotten.srt": "rot"}
    targets = Targets(published, View(files, unchanged={"rotten.srt"}), RULES)
    targets.choose(wanted())
    assert targets.left_over({"KEPT.srt"}) == ["old.srt", "rotten.srt"]
