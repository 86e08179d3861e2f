"""A watched library: new films get subtitles beside them, and files that reel writes are not taken for films."""

from __future__ import annotations

from tests.conftest import Reel
from tests.pipeline.engine.library.conftest import AUDIO, TEXT, FakeFFmpeg, Film
from tests.pipeline.engine.test_watch import Watching


def test_new_films_get_subtitles_unless_they_have_some(reel: Reel, film: Film, fake_ffmpeg: FakeFFmpeg) -> None:
    first = film("inbox/first/first.mkv", AUDIO.format("eng"))
    watching = Watching(reel, reel.folder / "inbox", "--beside", "--skip-existing", extra=fake_ffmpeg.variables)
    watching.says("first.mkv: done")
    film("inbox/inside/inside.mkv", AUDIO.format("eng"), TEXT.format("eng"))
    watching.says("inside.mkv: skipped, has subtitles already: a track inside (en)")
    film("inbox/by-hand/by-hand.mkv", AUDIO.format("eng"), beside=("by-hand.en.srt",))
    watching.says("by-hand.mkv: skipped, has subtitles already: by-hand.en.srt (en)")
    second = film("inbox/second/second.mkv", AUDIO.format("eng"))
    watching.says("second.mkv: ")
    assert watching.interrupt() == 0
    assert "4 files: 2 done, 2 skipped" in watching.err.read_text(encoding="utf-8")
    for made in (first, second):
        assert {path.name for path in made.parent.iterdir()} == {made.name, f"{made.stem}.en.srt", ".reel"}
    assert not reel.out.exists()
