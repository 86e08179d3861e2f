"""The stages there are, written out: the only module of the orchestrator that imports `stages`."""

from __future__ import annotations

import difflib

from pipeline.errors import UsageError
from shared.stage import Stage
from stages import (
    align,
    asr,
    attribute,
    check,
    clean,
    compare,
    condense,
    correct,
    demux,
    diarize,
    entities,
    mux,
    ocr,
    refine,
    separate,
    shots,
    sounds,
    subtitle,
    translate,
    vad,
)

STAGES: dict[str, Stage] = {
    module.STAGE.name: module.STAGE
    for module in (
        demux,
        shots,
        separate,
        vad,
        sounds,
        asr,
        align,
        diarize,
        attribute,
        clean,
        correct,
        refine,
        translate,
        condense,
        subtitle,
        entities,
        ocr,
        check,
        compare,
        mux,
    )
}


def stage_named(name: str) -> Stage:
    """The stage called `name`; raises `UsageError` with the nearest name."""
    if name in STAGES:
        return STAGES[name]
    near = difflib.get_close_matches(name, STAGES, n=1)
    raise UsageError(
        "stage.unknown",
        f"there is no stage `{name}`",
        hint=f"did you mean `{near[0]}`?" if near else f"the stages are {', '.join(STAGES)}",
    )


TRANSLATE = translate.STAGE.name
ASR = asr.STAGE.name
MUX = mux.STAGE.name
DEMUX = demux.STAGE.name
SUBTITLE = subtitle.STAGE.name
Probe = demux.Probe
choose_track = demux.choose_track
translators_for = translate.backends_for
roles_for = translate.roles_for
directions_for = translate.directions_for
