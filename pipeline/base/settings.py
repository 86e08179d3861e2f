"""Typed settings with their origin: flag > variable > project file > defaults.

Flags win because they are typed for this one call; variables come from the shell or a CI job and outlive a call; the
project file is everybody's. `config/defaults.toml` names every setting, so an unknown key is always a mistake.
"""

from __future__ import annotations

import difflib
import json
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import JsonValue, ValidationError, field_validator

from pipeline.base.errors import UsageError
from pipeline.base.sizes import size_in
from pipeline.base.wait_limit import FOREVER, wait_limit_s
from shared.documents.base import Frozen
from shared.text.language import parse_language

TorchChoice = Literal["auto", "locked", "cpu"]
"""The values of the setting `torch`."""
FfmpegChoice = Literal["auto", "system", "own"]
"""The values of the setting `ffmpeg`."""

PREFIX = "REEL_"
_STAGES = "stages"
MODEL_SETTINGS = frozenset({"models", "languages"})  # tables of models that the settings of a stage may hold
# Set by the wrapper and for workers; not settings.
_NOT_SETTINGS = {"REEL_CACHE_ROOT", "REEL_PARENT_PID", "REEL_DEBUG", "REEL_PYTHON"}

SHORT_NAMES = {
    "language": "stages.asr.language",
    "audio_track": "stages.demux.audio_track",
    "audio_language": "stages.demux.audio_language",
    "speakers": "stages.diarize.num_speakers",
    "min_speakers": "stages.diarize.min_speakers",
    "max_speakers": "stages.diarize.max_speakers",
}
"""Parameters of stages that a flag or a line of a list names for short."""


class Settings(Frozen):
    """The settings of one call, as `config/defaults.toml` describes them."""

    recipe: str
    profile: str
    guide: str
    glossary: str
    to: tuple[str, ...]
    output_dir: str
    beside: bool
    skip_existing: bool
    replace: bool
    film: bool
    cache_dir: str
    results_dir: str
    index_dir: str
    results_limit: str
    environments_dir: str
    own_models_dir: str
    progress: Literal["auto", "plain", "none", "json"]
    device: Literal["auto", "cpu", "cuda", "mps"]
    ffmpeg: FfmpegChoice
    torch: TorchChoice
    torch_wheels: str
    cpus: int
    memory_limit_gib: float
    idle_worker_s: float
    look_ahead: int
    labels: dict[str, float]
    cluster: str
    cluster_staging: str
    time_limit_factor: float
    offline: bool
    hub: str
    stub: bool
    wait: str
    stages: dict[str, dict[str, JsonValue]]

    @property
    def makes_film(self) -> bool:
        """Tell whether a copy of the film is made, where the recipe has one."""
        return self.film and not self.beside

    @field_validator("wait", mode="before")
    @classmethod
    def _wait(cls, value: object) -> str:
        text = {True: FOREVER, False: ""}[value] if isinstance(value, bool) else str(value)
        wait_limit_s(text)
        return text

    @field_validator("to")
    @classmethod
    def _languages(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(parse_language(tag) for tag in value))

    @field_validator("results_limit")
    @classmethod
    def _limit(cls, value: str) -> str:
        if value not in {"auto", "none"} and size_in(value) is None:
            raise ValueError("expected a size like 50GB, or auto, or none")
        return value


@dataclass(frozen=True)
class Origins:
    """Where each value comes from: `recipe` or `stages.asr.beam_size` to a phrase."""

    of: Mapping[str, str]


Layer = tuple[str, dict[str, JsonValue]]
"""An origin's name and its values, nested as in the file."""


def load_settings(
    defaults: Path, project_file: Path, environ: Mapping[str, str], flags: Mapping[str, JsonValue]
) -> tuple[Settings, Origins]:
    """The settings of one call. `flags` maps dotted names to values; raises `UsageError` for what cannot be."""
    base = _read(defaults)
    layers: list[Layer] = [(f"config/{defaults.name}", base)]
    if project_file.exists():
        layers.append((project_file.name, _read(project_file)))
    layers += _from_variables(environ, base)
    layers += [(f"flag {name}", _nested(name, value)) for name, value in flags.items()]
    values: dict[str, JsonValue] = {}
    stages: dict[str, dict[str, JsonValue]] = {}
    origins: dict[str, str] = {}
    for origin, layer in layers:
        for key, value in layer.items():
            if key not in base:
                raise _unknown(key, base, origin)
            if key != _STAGES:
                values[key], origins[key] = value, origin
                continue
            for stage, params in _tables(value, origin).items():
                for param, setting in params.items():
                    known = stages.setdefault(stage, {})
                    before = known.get(param) if param in MODEL_SETTINGS else None
                    if isinstance(before, dict) and isinstance(setting, dict):
                        setting = {**before, **setting}
                    known[param] = setting
                    origins[f"{_STAGES}.{stage}.{param}"] = origin
    try:
        settings = Settings.model_validate(values | {_STAGES: stages})
    except ValidationError as error:
        first = error.errors()[0]
        key = str(first["loc"][0])
        raise UsageError(
            "settings.value",
            f"setting `{key}` from {origins.get(key, 'the settings')} cannot be {first['input']!r}: {first['msg']}",
            hint=f"see `{key}` in config/defaults.toml",
        ) from error
    check_film(settings, flags)
    check_output(settings, flags)
    return settings, Origins(origins)


_OF_THE_FILM = f"{_STAGES}.mux."


def check_film(settings: Settings, asked: Mapping[str, JsonValue]) -> None:
    """Raise `UsageError` where no film is to be made, and it is asked for, or something is asked of it. `asked` are the
    dotted names with the values that this call, or a line of a list, sets."""
    of_film = sorted(name for name in asked if name.startswith(_OF_THE_FILM) or (name == "film" and asked[name]))
    if settings.makes_film or not of_film:
        return
    setting, off, on = ("beside", "true", "--no-beside") if settings.beside else ("film", "false", "--film")
    raise UsageError(
        "settings.no-film",
        f"`{of_film[0].removeprefix(f'{_STAGES}.')}` concerns the copy of the film, and by `{setting} = {off}` none is"
        " made",
        hint=f"leave one of the two out; `{on}` makes the copy for this call",
    )


def check_output(settings: Settings, asked: Collection[str]) -> None:
    """Raise `UsageError` where an output folder is named that nothing would go to."""
    if settings.beside and "output_dir" in asked:
        raise UsageError(
            "settings.beside",
            "an output folder is named, and by `beside = true` everything lies beside the media",
            hint="leave `-o` out, or add `--no-beside`",
        )


_OF_ONE_MEDIA = ("recipe", "profile", "guide", "glossary", "to", "film")


def with_overrides(settings: Settings, overrides: Mapping[str, JsonValue]) -> Settings:
    """The settings with others for one media: what to make of it, by which profile and guide, and parameters of
    stages, by dotted names. Raises `UsageError`."""
    values: dict[str, JsonValue] = {}
    stages = {stage: dict(params) for stage, params in settings.stages.items()}
    for name, value in overrides.items():
        parts = name.split(".")
        if len(parts) == 3 and parts[0] == _STAGES:
            stages.setdefault(parts[1], {})[parts[2]] = value
        elif name in _OF_ONE_MEDIA:
            values[name] = value
        else:
            raise UsageError(
                "settings.override",
                f"`{name}` cannot be set for one media",
                hint=f"what can is {', '.join(_OF_ONE_MEDIA)} and parameters like `asr.language`",
            )
    try:
        changed = Settings.model_validate({**settings.model_dump(), **values, _STAGES: stages})
    except ValidationError as error:
        first = error.errors()[0]
        raise UsageError(
            "settings.value", f"`{first['loc'][0]}` cannot be {first['input']!r}: {first['msg']}"
        ) from error
    check_film(changed, overrides)
    return changed


def parse_assignment(text: str) -> tuple[str, JsonValue]:
    """`asr.beam_size=3` as a dotted name and a JSON value; what is no JSON is taken as a word. Raises `UsageError`."""
    name, equals, word = text.partition("=")
    if not equals or not name:
        raise UsageError("settings.assignment", f"`{text}` is no assignment; expected one like `asr.beam_size=3`")
    head, dot, _ = name.partition(".")
    if dot and head != _STAGES:
        name = f"{_STAGES}.{name}"
    return name, _value(word)


def _value(word: str) -> JsonValue:
    try:
        parsed: JsonValue = json.loads(word)
    except json.JSONDecodeError:
        return word
    return parsed


def _from_variables(environ: Mapping[str, str], base: Mapping[str, JsonValue]) -> list[Layer]:
    """`REEL_TO=pt,en` and `REEL_STAGES__ASR__BEAM_SIZE=3`, sorted so that the order of the shell does not matter."""
    layers: list[Layer] = []
    for variable in sorted(environ):
        if not variable.startswith(PREFIX) or variable in _NOT_SETTINGS:
            continue
        name = variable.removeprefix(PREFIX).lower().replace("__", ".")
        value = _value(environ[variable])
        if isinstance(base.get(name), list) and isinstance(value, str):
            value = [part.strip() for part in value.split(",") if part.strip()]
        layers.append((f"variable {variable}", _nested(name, value)))
    return layers


def _nested(name: str, value: JsonValue) -> dict[str, JsonValue]:
    head, _, rest = name.partition(".")
    return {head: _nested(rest, value) if rest else value}


def _tables(value: JsonValue, origin: str) -> dict[str, dict[str, JsonValue]]:
    if isinstance(value, dict) and all(isinstance(params, dict) for params in value.values()):
        return value  # type: ignore[return-value]
    raise UsageError(
        "settings.stages",
        f"`stages` in {origin} must hold a table for each stage",
        hint="write `[stages.asr]` and below it `beam_size = 5`",
    )


def _read(path: Path) -> dict[str, JsonValue]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError("settings.syntax", f"{path} is not TOML: {error}") from error


def _unknown(key: str, base: Mapping[str, JsonValue], origin: str) -> UsageError:
    near = difflib.get_close_matches(key, base, n=1)
    return UsageError(
        "settings.unknown",
        f"`{key}` from {origin} is not a setting",
        hint=f"did you mean `{near[0]}`?" if near else "config/defaults.toml lists every setting",
    )
