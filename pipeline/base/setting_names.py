"""Check names of settings and of stages' parameters, and suggest the nearest name for an unknown one. Pure.

The caller passes the parameters of the stages, because this package is below the one that declares them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from pipeline.base.errors import UsageError
from shared.nearest import nearest, suggestion

Parameters = Mapping[str, Collection[str]]
"""The parameters of each stage, by its name."""

STAGES = "stages"  # the setting that holds them
MODEL_SETTINGS = frozenset({"models", "languages"})  # tables of models that the settings of a stage may hold
SHORT_NAMES = {
    "language": "stages.asr.language",
    "audio_track": "stages.demux.audio_track",
    "audio_language": "stages.demux.audio_language",
    "speakers": "stages.diarize.num_speakers",
    "min_speakers": "stages.diarize.min_speakers",
    "max_speakers": "stages.diarize.max_speakers",
}
"""Parameters of stages that have a short name in a flag or in a list of files."""

_MOST_STAGES = 3  # in a hint


def check_parameter(stage: str, param: str, parameters: Parameters, context: str = "") -> None:
    """Raise `UsageError` with the nearest name if the stage or its parameter does not exist. `context` says where the
    name was given, as the end of a sentence."""
    if stage not in parameters:
        hint = suggestion(stage, parameters, f"the stages are {', '.join(parameters)}")
        raise UsageError("stage.unknown", f"there is no stage `{stage}`{context}", hint=hint)
    known = ("backend", *sorted(MODEL_SETTINGS), *parameters[stage])
    if param not in known:
        hint = suggestion(param, known, f"the parameters of {stage} are {', '.join(known)}")
        raise UsageError("params.invalid", f"the stage {stage} has no parameter `{param}`{context}", hint=hint)


def nearest_setting(name: str, known: Collection[str], parameters: Parameters, otherwise: str) -> str:
    """Return the hint for the name of an unknown setting: the nearest setting, or the nearest parameter with its
    stages."""
    if name in parameters:
        return f"parameters of the stage {name} stand below `{STAGES}.{name}`"
    owners: dict[str, list[str]] = {}
    for stage, params in parameters.items():
        for param in params:
            owners.setdefault(param, []).append(f"`{stage}.{param}`")
    near = nearest(name, (*known, *owners))
    if near is None or near in known:
        return suggestion(name, known, otherwise)
    return f"did you mean {' or '.join(owners[near][:_MOST_STAGES])}?"
