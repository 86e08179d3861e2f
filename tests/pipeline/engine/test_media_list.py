"""The media files of a call: from folders, patterns and lists with settings, in the requested order."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.base.errors import BadInput, UsageError
from pipeline.engine.folder_walk import FolderWalk
from pipeline.engine.media_list import Request, check_media, find_media, ordered, read_list


@pytest.fixture
def films(tmp_path: Path) -> Path:
    for name, size in (("b.mp4", 3), ("a.mkv", 2), ("sub/c.MOV", 1), ("notes.txt", 9)):
        place = tmp_path / name
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(b"x" * size)
    return tmp_path


def test_a_folder_yields_its_media_and_a_named_file_is_always_accepted(films: Path) -> None:
    assert [path.name for path in find_media(["."], films, FolderWalk())] == ["a.mkv", "b.mp4", "c.MOV"]
    assert find_media(["notes.txt", "*.mp4", "sub/../b.mp4"], films, FolderWalk()) == [
        films / "notes.txt",
        films / "b.mp4",
    ]


def test_linked_files_are_separate_and_linked_folders_are_not_followed(films: Path) -> None:
    (films / "link.mp4").symlink_to(films / "b.mp4")
    (films / "sub" / "up").symlink_to(films)
    assert [path.name for path in find_media(["."], films, FolderWalk())] == ["a.mkv", "b.mp4", "link.mp4", "c.MOV"]


def test_a_recursive_pattern_follows_no_links_and_reads_each_folder_once(films: Path) -> None:
    for folder in ("sub", "sub/deep", "other", "[odd]"):
        (films / folder).mkdir(exist_ok=True)
        (films / folder / "up").symlink_to("..")  # `glob` would go through them 2 to the power of 40 ways
        (films / folder / "film.mkv").write_bytes(b"x")
        (films / folder / ".hidden.mkv").write_bytes(b"x")

    def found(pattern: str) -> tuple[list[str], FolderWalk]:
        walk = FolderWalk()
        return [str(path.relative_to(films)) for path in find_media([pattern], films, walk)], walk

    deep = ["[odd]/film.mkv", "other/film.mkv", "sub/deep/film.mkv", "sub/film.mkv"]
    assert found("**/film.mkv")[0] == deep
    assert found(f"{films}/**/*.mkv")[0] == [deep[0], "a.mkv", *deep[1:]]
    assert found("s*/**/*.mkv")[0] == deep[2:]
    assert found("sub/**/deep/**/*.mkv")[0] == ["sub/deep/film.mkv"]
    for pattern in ("**", "./**"):
        names, walk = found(pattern)
        assert names == [str(path.relative_to(films)) for path in find_media(["."], films, FolderWalk())]
        assert walk.passed == {"hidden": 4, "linked folder": 4}
    assert sorted(found("**/*")[0]) == sorted(names)


def test_a_priority_comes_before_the_requested_order(films: Path) -> None:
    requests = [Request(films / "b.mp4"), Request(films / "a.mkv"), Request(films / "sub/c.MOV", priority=1)]
    names = {order: [request.media.name for request in ordered(requests, order, None)] for order in ("given", "name")}
    assert names == {"given": ["c.MOV", "b.mp4", "a.mkv"], "name": ["c.MOV", "a.mkv", "b.mp4"]}
    plain = requests[:2]
    assert [request.media.name for request in ordered(plain, "smallest", None)] == ["a.mkv", "b.mp4"]
    assert [request.media.name for request in ordered(plain, "largest", 1)] == ["b.mp4"]


def test_json_lines_and_csv_give_the_same_requests(tmp_path: Path) -> None:
    rows = [
        {"media": "a.mp4", "to": ["pt", "en"], "asr.beam_size": 1, "priority": 2},
        {"media": "sub/b.mp4", "language": "hi", "recipe": "transcribe"},
    ]
    (tmp_path / "list.jsonl").write_text("\n\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    (tmp_path / "list.csv").write_text(
        '\ufeffmedia,to,asr.beam_size,priority,language,recipe\na.mp4,"pt,en",1,2,,\nsub/b.mp4,,,,hi,transcribe\n',
        encoding="utf-8",
    )
    expected = [
        Request(tmp_path / "a.mp4", {"to": ["pt", "en"], "stages.asr.beam_size": 1}, 2.0),
        Request(tmp_path / "sub/b.mp4", {"stages.asr.language": "hi", "recipe": "transcribe"}),
    ]
    assert read_list(tmp_path / "list.jsonl", FolderWalk()) == expected
    assert read_list(tmp_path / "list.csv", FolderWalk()) == expected


@pytest.mark.parametrize(("name", "separator"), [("list.csv", ";"), ("list.csv", "\t"), ("list.tsv", "\t")])
def test_a_table_may_have_any_separator_that_a_spreadsheet_writes(tmp_path: Path, name: str, separator: str) -> None:
    rows = [["media", "to"], ["a, b.mp4", "pt"], ["c.mp4", ""]]
    (tmp_path / name).write_text("".join(f"{separator.join(row)}\r\n" for row in rows), newline="", encoding="utf-8")
    assert read_list(tmp_path / name, FolderWalk()) == [
        Request(tmp_path / "a, b.mp4", {"to": ["pt"]}), Request(tmp_path / "c.mp4")
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"media": "a.mp4"}\n{"media"', "line 2 of"),
        ("[1]", "is not a JSON object"),
        ('{"file": "a.mp4"}', "has no `media`"),
        ('{"media": "a.mp4", "priority": "high"}', "the priority 'high'"),
        ("\n", "names no media"),
        ('{"media": "a.mp4", "priority": NaN}', "the priority nan"),
        (f'{{"media": "a.mp4", "priority": {"9" * 400}}}', "the priority 999"),
        (f'{{"media": "a.mp4", "priority": {"9" * 5000}}}', "is not JSON"),
        (f"\n{'[' * 100_000}", "line 2 of .* is not JSON"),
        ('{"media": "a\\u0000b.mp4"}', "no file name can contain"),
        ('{"media": "a\\ud800b.mp4"}', "no file name can contain"),
    ],
)
def test_a_mistake_in_a_list_is_reported_with_its_line(tmp_path: Path, text: str, says: str) -> None:
    place = tmp_path / "list.jsonl"
    place.write_text(text, encoding="utf-8")
    with pytest.raises(BadInput, match=says):
        read_list(place, FolderWalk())


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("media,to\nMy film, part 2.mp4,pt\n", "line 2 of .* more fields"),
        ('media,to\n"a.mp4,pt\nb.mp4,\n', "is not CSV"),
    ],
)
def test_a_table_with_more_fields_than_its_header_is_refused(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "list.csv").write_text(text, encoding="utf-8")
    with pytest.raises(BadInput, match=says):
        read_list(tmp_path / "list.csv", FolderWalk())


@pytest.mark.parametrize("name", ["two\nlines.mp4", "next\u2028line.mp4", "page\x0c.mp4", "old\x85.mp4"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_name_in_a_list_may_contain_line_separators(tmp_path: Path, name: str, end: str) -> None:
    rows = [json.dumps({"media": name}, ensure_ascii=False), "", json.dumps({"media": "b.mp4"})]
    (tmp_path / "list.jsonl").write_bytes(f"\ufeff{end.join(rows)}".encode())
    (tmp_path / "list.csv").write_bytes(f'\ufeffmedia,to{end}"{name}",{end}{end}b.mp4,{end}'.encode())
    for file in ("list.jsonl", "list.csv"):
        found = read_list(tmp_path / file, FolderWalk())
        assert [request.media.name for request in found] == [name, "b.mp4"]


def test_a_list_names_a_subtitle_for_a_film_from_where_it_lies(tmp_path: Path) -> None:
    (tmp_path / "subs").mkdir()
    (tmp_path / "subs" / "film.en.srt").touch()
    lines = ['{"media": "film.mkv", "subtitles": "subs/film.en.srt"}', '{"media": "other.mkv", "subtitles": "auto"}']
    (tmp_path / "list.jsonl").write_text("\n".join(lines), encoding="utf-8")
    found = read_list(tmp_path / "list.jsonl", FolderWalk())
    assert [one.overrides["subtitles"] for one in found] == [str(tmp_path / "subs" / "film.en.srt"), "auto"]


def test_a_name_that_is_too_long_is_reported_as_missing(tmp_path: Path) -> None:
    for name in (f"{'a' * 300}.mp4", f"{'a/' * 3000}b.mp4"):
        assert find_media([name], tmp_path, FolderWalk()) == [tmp_path / name]
        with pytest.raises(BadInput, match="cannot be read"):
            check_media(tmp_path / name)


def test_a_list_that_is_not_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "list.jsonl").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadInput):
        read_list(tmp_path / "list.jsonl", FolderWalk())
    with pytest.raises(UsageError):
        find_media(["nothing-*.mp4"], tmp_path, FolderWalk())


def test_a_link_to_nowhere_is_told_with_where_it_leads(tmp_path: Path) -> None:
    (tmp_path / "film.mp4").symlink_to("gone\n.mp4")
    with pytest.raises(BadInput, match=r"film.mp4 is a link to gone\\n.mp4, which is not there") as told:
        check_media(tmp_path / "film.mp4")
    assert told.value.code == "media.missing"
