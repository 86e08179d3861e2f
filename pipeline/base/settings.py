"""Load typed settings with their origin: flag > variable > project file > defaults.

Flags win because they are typed for one call; variables come from the shell or a CI job and outlast a call; all users
share the project file. `config/defaults.toml` names every setting, so an unknown key is always a mistake.
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import (
    Field,
    JsonValue,
    NonNegativeFloat,
    NonNegativeInt,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from pipeline.base.display_paths import shown
from pipeline.base.errors import UsageError
from pipeline.base.setting_names import (
    MODEL_SETTINGS,
    SHORT_NAMES,
    STAGES,
    Parameters,
    check_parameter,
    nearest_setting,
)
from pipeline.base.sizes import size_in
from pipeline.base.wait_limit import FOREVER, wait_limit_s
from shared.documents.base import Frozen
from shared.files import is_valid_name, read_regular
from shared.mistakes import first_mistake, text_mistake
from shared.text.language import NO_LANGUAGE, primary
from shared.text.language_names import known_language, split_languages

TorchChoice = Literal["auto", "locked", "cpu"]
"""The values of the setting `torch`."""
FfmpegChoice = Literal["auto", "system", "own"]
"""The values of the setting `ffmpeg`."""

PREFIX = "REEL_"
# Variables that are not settings: the wrapper and the workers use them.
_NOT_SETTINGS = {"REEL_CACHE_ROOT", "REEL_PARENT_PID", "REEL_DEBUG", "REEL_PYTHON", "REEL_TOKEN", "REEL_PROJECT"}

_PER_FILE = ("recipe", "profile", "guide", "glossary", "to", "film", "report", "subtitles", "bilingual")
_RECORDED = tuple(name for name in _PER_FILE if name not in {"recipe", "profile"})


class Settings(Frozen):
    """The settings of one call, as `config/defaults.toml` describes them."""

    recipe: str
    profile: str
    guide: str
    glossary: str
    to: tuple[str, ...]
    languages: tuple[str, ...]
    output_dir: str
    beside: bool
    skip_existing: bool
    subtitles: str
    bilingual: Literal["", "source-above", "source-below"]
    replace: bool
    film: bool
    report: bool
    cache_dir: str
    results_dir: str
    index_dir: str
    results_limit: str
    environments_dir: str
    own_models_dir: str
    progress: Literal["auto", "plain", "verbose", "none", "quiet", "json"]
    device: Literal["auto", "cpu", "cuda", "mps"]
    ffmpeg: FfmpegChoice
    torch: TorchChoice
    torch_wheels: str
    cpus: NonNegativeInt
    memory_limit_gib: NonNegativeFloat
    idle_worker_s: NonNegativeFloat
    look_ahead: NonNegativeInt
    labels: dict[str, NonNegativeFloat]
    cluster: str
    cluster_staging: str
    time_limit_factor: float = Field(gt=0)
    offline: bool
    local_models: bool
    locked: Literal["auto"] | bool
    accept_code: tuple[str, ...]
    hub: str
    stub: bool
    wait: str
    stages: dict[str, dict[str, JsonValue]]

    @property
    def makes_film(self) -> bool:
        """Tell whether a copy of the film is made, if the recipe has one."""
        return self.film and not self.beside

    @property
    def fetches_nothing(self) -> bool:
        """Tell whether no model may be fetched."""
        return self.offline or self.local_models

    @property
    def chooses_device(self) -> bool:
        """Tell whether reel chooses the device: the user has named neither one nor a build of torch for processors."""
        return self.device == "auto" and self.torch != "cpu"

    @field_validator("wait", mode="before")
    @classmethod
    def _wait(cls, value: object) -> str:
        text = {True: FOREVER, False: ""}[value] if isinstance(value, bool) else str(value)
        wait_limit_s(text)
        return text

    @field_validator("subtitles")
    @classmethod
    def _subtitles(cls, value: str) -> str:
        if not value.strip() or (value.startswith("track:") and not value.removeprefix("track:").isdecimal()):
            raise ValueError("expected auto, none, library, a number like `track:0`, or a subtitle file")
        return value

    @field_validator("to", "languages", mode="before")
    @classmethod
    def _one_or_several(cls, value: JsonValue) -> JsonValue:
        return list[JsonValue](split_languages(value)) if isinstance(value, str) else value

    @field_validator("to", "languages")
    @classmethod
    def _languages(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        tags = tuple(dict.fromkeys(_known_among(tag, value) for tag in value))
        if none := next((tag for tag in tags if primary(tag) in NO_LANGUAGE), None):
            which = "languages to translate into" if info.field_name == "to" else "languages that are spoken"
            raise ValueError(f"expected {which}, and `{none}` names none")
        return tags

    @field_validator("results_limit", mode="before")
    @classmethod
    def _limit(cls, value: object) -> str:
        text = str(value)
        if text not in {"auto", "none"} and size_in(text) is None:
            raise ValueError("expected a size in MB, GB or TB, such as 50GB, or auto, or none")
        return text

    @field_validator("recipe", "guide", "glossary", "subtitles", "output_dir", "cache_dir", "results_dir", "index_dir")
    @classmethod
    def _name(cls, value: str) -> str:
        if not is_valid_name(value):
            raise ValueError("expected a name that a file can have")
        return value

    @field_validator("output_dir", "cache_dir", "results_dir", "environments_dir", "own_models_dir")
    @classmethod
    def _folder(cls, value: str) -> str:
        if not value.strip():
            raise ValueError("expected a folder; a variable of the shell that is not set gives an empty name")
        return value


@dataclass(frozen=True)
class Origins:
    """The origin of each value, by dotted name (`recipe`, `stages.asr.beam_size`), as part of a sentence."""

    of: Mapping[str, str]


Layer = tuple[str, dict[str, JsonValue]]
"""The name of an origin, and its values as nested in a settings file."""


def _known_among(language: str, all_of_them: Collection[str]) -> str:
    """Return the tag of a language in a list. Raises `ValueError`, which names it if the list has others."""
    try:
        return known_language(language)
    except ValueError as error:
        raise ValueError(f"{error}; that is about `{language}`" if len(all_of_them) > 1 else str(error)) from None


def load_settings(
    defaults: Path,
    project_file: Path,
    environ: Mapping[str, str],
    flags: Mapping[str, JsonValue],
    stage_parameters: Callable[[], Parameters] | None = None,
) -> tuple[Settings, Origins]:
    """Return the settings of one call. `flags` maps dotted names to values.

    `stage_parameters` is called only if a name has to be looked up in them: loading the stages takes 0.15 s. Without
    it, names below `stages` are not checked. Raises `UsageError`.
    """
    base = _read(defaults)
    layers: list[Layer] = [(f"config/{defaults.name}", base)]
    if os.path.lexists(project_file):  # a link to nowhere is a mistake too
        layers.append((project_file.name, _read(project_file)))
    layers += _from_variables(environ, base)
    layers += [(f"flag {name}", _nested(name, value)) for name, value in flags.items()]
    values: dict[str, object] = {}
    stages: dict[str, dict[str, JsonValue]] = {}
    origins: dict[str, str] = {}
    for origin, layer in layers:
        for key, value in layer.items():
            if key not in base:
                known = stage_parameters() if stage_parameters else {}
                hint = nearest_setting(key, base, known, f"{shown(defaults)} lists every setting")
                raise UsageError("settings.unknown", f"`{key}` from {origin} is not a setting", hint=hint)
            if key == STAGES:
                origins |= _set_parameters(stages, _tables(value, origin), origin, stage_parameters)
            else:
                values[key], origins[key] = value, origin
    settings = _validated(values | {STAGES: stages}, origins, defaults)
    check_film(settings, flags)
    check_output(settings, flags)
    return settings, Origins(origins)


def _set_parameters(
    stages: dict[str, dict[str, JsonValue]],
    tables: Mapping[str, Mapping[str, JsonValue]],
    origin: str,
    stage_parameters: Callable[[], Parameters] | None,
) -> dict[str, str]:
    """Put a layer's parameters over those of earlier layers. Return the origin of each by its dotted name."""
    origins = {}
    for stage, params in tables.items():
        for param, value in params.items():
            if stage_parameters:
                check_parameter(stage, param, stage_parameters(), f", which {origin} sets")
            known = stages.setdefault(stage, {})
            before = known.get(param) if param in MODEL_SETTINGS else None
            if isinstance(before, dict) and isinstance(value, dict):
                value = {**before, **value}
            known[param] = value
            origins[f"{STAGES}.{stage}.{param}"] = origin
    return origins


def _validated(values: Mapping[str, object], origins: Mapping[str, str], defaults: Path) -> Settings:
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        mistake = first_mistake(error)
        key = mistake.place.partition(".")[0]
        raise UsageError(
            "settings.value",
            f"setting `{mistake.place}` from {origins.get(key, 'the settings')} cannot be {mistake.shown}:"
            f" {mistake.text}",
            hint=f"see `{key}` in {shown(defaults)}",
        ) from error


_FILM_PARAMETERS = f"{STAGES}.mux."


def check_film(settings: Settings, asked: Mapping[str, JsonValue]) -> None:
    """Raise `UsageError` if no film is made, but a film is requested or an option of it set. `asked` are the dotted
    names and values of this call, or of a line of a list."""
    of_film = sorted(name for name in asked if name.startswith(_FILM_PARAMETERS) or (name == "film" and asked[name]))
    if settings.makes_film or not of_film:
        return
    setting, off, on = ("beside", "true", "--no-beside") if settings.beside else ("film", "false", "--film")
    raise UsageError(
        "settings.no-film",
        f"`{of_film[0].removeprefix(f'{STAGES}.')}` concerns the copy of the film, and by `{setting} = {off}` none is"
        " made",
        hint=f"leave one of the two out; `{on}` makes the copy for this call",
    )


def check_output(settings: Settings, asked: Collection[str]) -> None:
    """Raise `UsageError` if an output folder is named although nothing is written there."""
    if settings.beside and "output_dir" in asked:
        raise UsageError(
            "settings.beside",
            "an output folder is named, but `beside = true` puts everything next to the media file",
            hint="leave `-o` out, or add `--no-beside`",
        )


def check_override(name: str, parameters: Parameters) -> None:
    """Raise `UsageError` for a dotted name that cannot be set for a single media file."""
    head, *rest = name.split(".")
    if head == STAGES and len(rest) == 2:
        check_parameter(rest[0], rest[1], parameters)
    elif name not in _PER_FILE:
        known = (*_PER_FILE, *SHORT_NAMES)
        listed = f"what can is {', '.join(known)} and parameters like `asr.beam_size`"
        hint = listed if name in Settings.model_fields else nearest_setting(name, known, parameters, listed)
        raise UsageError("settings.override", f"`{name}` cannot be set for a single media file", hint=hint)


def with_overrides(settings: Settings, overrides: Mapping[str, JsonValue], parameters: Parameters) -> Settings:
    """Return the settings with the overrides of one media file, by dotted names: outputs, profile, guide, and
    parameters of stages. Raises `UsageError`."""
    values: dict[str, JsonValue] = {}
    stages = {stage: dict(params) for stage, params in settings.stages.items()}
    for name, value in overrides.items():
        check_override(name, parameters)
        _, stage, param = name.split(".") if "." in name else ("", "", "")
        if stage:
            stages.setdefault(stage, {})[param] = value
        else:
            values[name] = value
    try:
        changed = Settings.model_validate({**settings.model_dump(), **values, STAGES: stages})
    except ValidationError as error:
        raise UsageError("settings.value", str(first_mistake(error))) from error
    check_film(changed, overrides)
    return changed


def overrides_of(settings: Settings) -> dict[str, JsonValue]:
    """Return the settings that one media file may have, as overrides by dotted names that give the same files again.

    Recipe and profile are left out, since the job records what was chosen for `auto`. A file is named by its absolute
    path.
    """
    found: dict[str, JsonValue] = {name: value for name, value in settings.model_dump().items() if name in _RECORDED}
    found |= {"to": list[JsonValue](settings.to), "film": settings.makes_film}
    for name in ("glossary", "subtitles"):
        if os.path.isfile(getattr(settings, name)):  # noqa: PTH113 - False for every odd name
            found[name] = os.path.abspath(getattr(settings, name))  # noqa: PTH100
    for stage, params in sorted(settings.stages.items()):
        found |= {f"{STAGES}.{stage}.{name}": value for name, value in sorted(params.items())}
    return found


def parse_assignment(text: str) -> tuple[str, JsonValue]:
    """Read `asr.beam_size=3` as a dotted name and a JSON value; other text is a string. Raises `UsageError`."""
    name, equals, word = text.partition("=")
    if not equals or not name:
        raise UsageError("settings.assignment", f"`{text}` is not an assignment; expected one like `asr.beam_size=3`")
    head, dot, _ = name.partition(".")
    if dot and head != STAGES:
        name = f"{STAGES}.{name}"
    return name, _value(word)


def _value(word: str) -> JsonValue:
    try:
        parsed: JsonValue = json.loads(word)
    except (ValueError, RecursionError):  # the first also for a number of thousands of digits
        return word
    return parsed


def _from_variables(environ: Mapping[str, str], base: Mapping[str, JsonValue]) -> list[Layer]:
    """Read variables such as `REEL_TO=pt,en` and `REEL_STAGES__ASR__BEAM_SIZE=3`, in alphabetical order, so that the
    order in the shell does not matter."""
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
        return tomllib.loads(read_regular(path).decode("utf-8-sig"))  # some editors begin a file with a mark
    except OSError as error:
        text = f"{path} cannot be read: {error.strerror or error}"
        raise UsageError("settings.unreadable", text, hint="make it a readable file, or remove it") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError("settings.syntax", f"{path} is not TOML: {text_mistake(error)}") from error
