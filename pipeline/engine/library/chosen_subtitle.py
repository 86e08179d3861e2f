"""Chooses the existing subtitle to use instead of recognition, by the setting `subtitles`.

Of the subtitles beside a film or inside it, `auto` takes a complete text in the spoken language, as its name or its
track states it. It never takes a subtitle that reel wrote, nor one with forced parts only; it takes one for deaf
viewers only if there is no other.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.base.display_paths import shown
from pipeline.base.errors import BadInput, MediaChanged, UsageError
from pipeline.base.settings import Settings
from pipeline.engine.library.existing import Existing, requested_sound
from pipeline.engine.library.tracks import InnerTrack
from pipeline.engine.media_list import Request
from pipeline.engine.planner import Planner
from pipeline.plan.model import ExistingSubtitle, FromMedia, FromPath
from shared.documents.cue import Kind
from shared.files import read_regular
from shared.text.language import english_name, is_covered
from shared.text.language_names import known_language
from shared.text.subtitle_names import is_subtitle, split_name

_TRACK = "track:"
_MOST_BYTES = 64 << 20  # the limit of the stage that reads subtitles


@dataclass(frozen=True)
class _Candidate:
    """Complete text subtitle of a film in a known language: a file beside it, or a track inside."""

    language: str
    kind: Kind
    name: str
    track: int | None = None

    @property
    def rank(self) -> tuple[bool, bool]:
        """Return the key for sorting candidates, the best first: a full text before one for deaf viewers, then files
        before tracks."""
        return self.kind != "full", self.track is not None


class SubtitleChooser:
    """Chooses the existing subtitle of each film of a run."""

    def __init__(self, planner: Planner, existing: Existing) -> None:
        self._planner, self._existing = planner, existing

    def forget(self) -> None:
        """Look at the folders again from now on."""
        self._existing.forget()

    def choose(self, request: Request) -> Request:
        """Return the request with the subtitle to use instead of recognition, if there is one. Raises `BadInput` for a
        subtitle that is named and cannot be used."""
        if is_subtitle(request.media.name):
            return request
        settings = self._settings(request)
        wanted = subtitles_mode(settings)
        if wanted == "none":
            return request
        film = request.media
        spoken = self._spoken(film, settings)
        if wanted == "auto":
            return replace(request, subtitle=self._automatic(film, spoken, settings.to))
        if wanted.startswith(_TRACK):
            return replace(request, subtitle=self._track(film, wanted, spoken))
        return replace(request, subtitle=subtitle_file(Path(wanted).absolute(), spoken))

    def _settings(self, request: Request) -> Settings:
        planner = self._planner.with_overrides(request.overrides) if request.overrides else self._planner
        return planner.settings

    def _spoken(self, film: Path, settings: Settings) -> str | None:
        """Return the spoken language, as the user or else the audio track states it."""
        if language := settings.stages.get("asr", {}).get("language"):
            return as_language(str(language))
        return self._existing.language_of_sound(film, requested_sound(settings))

    def _automatic(self, film: Path, spoken: str | None, targets: Sequence[str]) -> ExistingSubtitle | None:
        found = list(self._candidates(film))
        if spoken is None:
            # Then only an unambiguous one: all are in the same language, and it is not a target language.
            languages = {subtitle.language for subtitle in found}
            if len(languages) > 1 or any(is_covered(to, language) for to in targets for language in languages):
                found = []
        else:
            found = [subtitle for subtitle in found if is_covered(spoken, subtitle.language)]
        for best in sorted(found, key=lambda subtitle: subtitle.rank):
            with contextlib.suppress(BadInput):  # a file that cannot be read is passed over
                return _found(film, best, spoken)
        return None

    def is_asked(self, request: Request) -> bool:
        """Tell whether the user asks for any existing subtitle."""
        return not is_subtitle(request.media.name) and self._settings(request).subtitles == "auto"

    def _candidates(self, film: Path) -> Iterator[_Candidate]:
        for sidecar in self._existing.beside(film):
            if sidecar.language and not sidecar.forced:
                yield _Candidate(sidecar.language, sidecar.kind, sidecar.name)
        if self._existing.is_ours(film):
            return
        for number, track in enumerate(_subtitle_tracks(self._existing.tracks(film))):
            if track.language and track.is_full_text:
                yield _Candidate(track.language, _kind(track), f"subtitle track {number}", number)

    def _track(self, film: Path, wanted: str, spoken: str | None) -> ExistingSubtitle:
        tracks = _subtitle_tracks(self._existing.tracks(film))
        number = int(wanted.removeprefix(_TRACK))
        if tracks and not (number < len(tracks) and tracks[number].is_text):
            listed = "; ".join(f"{n}: {_description(track)}" for n, track in enumerate(tracks))
            raise BadInput(
                "subtitles.track",
                f"{shown(film)} has no text in subtitle track {number}; its subtitle tracks are {listed}",
                hint="name a track that is text, or a subtitle file",
            )
        track = tracks[number] if tracks else None
        language = (track.language if track else None) or spoken
        why = f"subtitle track {number} stands for recognition, because it is named"
        return ExistingSubtitle(FromMedia(), language, _kind(track) if track else "full", number, reason=why)


def _found(film: Path, best: _Candidate, spoken: str | None) -> ExistingSubtitle:
    why = f"{best.name} stands for recognition, because it is a complete subtitle in {english_name(best.language)}"
    why += ", the spoken language" if spoken else ""
    why += "; `--subtitles none` recognises the speech"
    source = FromMedia() if best.track is not None else _source(film.parent / best.name)
    return ExistingSubtitle(source, best.language, best.kind, best.track, found=True, reason=why)


def media_as_subtitle(file_name: str, language: str | None) -> ExistingSubtitle:
    """Return the media file itself as the existing subtitle, in the `language` that the user states or else that of its
    name."""
    facts = split_name(file_name)[1]
    return ExistingSubtitle(FromMedia(), as_language(language) if language else facts.language, facts.kind, alone=True)


def as_language(name: str) -> str:
    """Return the tag of a language that the user names; an unknown name itself, which the stage then refuses."""
    try:
        return known_language(name)
    except ValueError:
        return name


def subtitles_mode(settings: Settings) -> str:
    """Return the setting `subtitles` as `auto`, `none`, `track:N` or a path. `library` means `auto` for translations
    that are published beside their films, else `none`."""
    if settings.subtitles == "library":
        return "auto" if settings.beside and settings.to else "none"
    return settings.subtitles


def names_a_file(setting: str) -> bool:
    """Tell whether the setting `subtitles` names a file."""
    return setting not in {"auto", "none", "library"} and not setting.startswith(_TRACK)


def check_one_film(settings: Settings, films: int) -> None:
    """Raise `UsageError` if the settings name one subtitle file for several films."""
    mode = settings.subtitles
    if films > 1 and names_a_file(mode):
        raise UsageError(
            "subtitles.several",
            f"`--subtitles` names one file, {mode}, for {films} films",
            hint="`--subtitles auto` takes the file beside each film; a list for `--manifest` can name one for each",
        )


def content_of(source: FromPath) -> bytes:
    """Return the content of a subtitle file. Raises `MediaChanged` if it changed since the plan was made."""
    path = source.path
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BadInput("subtitles.missing", f"{shown(path)} cannot be read: {error.strerror or error}") from error
    if hashlib.sha256(content).hexdigest() != source.sha256:
        raise MediaChanged("subtitles.changed", f"{shown(path)} changed since the run began", hint="run it again")
    return content


def subtitle_file(path: Path, spoken: str | None) -> ExistingSubtitle:
    """Return the subtitle file that the user names, in the language of its name or else in the `spoken` one. Raises
    `BadInput` if it cannot be read."""
    facts = split_name(path.name)[1]
    why = f"{path.name} stands for recognition, because it is named"
    return ExistingSubtitle(_source(path), facts.language or spoken, facts.kind, reason=why)


def _source(path: Path) -> FromPath:
    """Return the source of a subtitle file. Raises `BadInput` if it cannot be read."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise BadInput("subtitles.too-large", f"{shown(path)} should be a subtitle, and is larger than 64 MiB")
        content = read_regular(path)
    except OSError as error:
        raise BadInput(
            "subtitles.missing",
            f"the subtitle {shown(path)} cannot be read: {error.strerror or error}",
            hint="check the spelling; name a subtitle file, or `track:0` for the first text track inside the film",
        ) from error
    return FromPath(hashlib.sha256(content).hexdigest(), path)


def _subtitle_tracks(tracks: Sequence[InnerTrack]) -> list[InnerTrack]:
    return [track for track in tracks if track.kind == "subtitle"]


def _kind(track: InnerTrack) -> Kind:
    if "forced" in track.flags:
        return "forced"
    return "sdh" if "hearing impaired" in track.flags or "captions" in track.flags else "full"


def _description(track: InnerTrack) -> str:
    return " ".join(filter(None, [track.language or "language unknown", track.codec, *track.flags, track.title]))
