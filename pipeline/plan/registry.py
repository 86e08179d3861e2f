"""The stages there are, written out: the only module of the orchestrator that imports `stages`."""

from __future__ import annotations

from pipeline.base.errors import UsageError
from shared.nearest import suggestion
from shared.stage import Stage
from stages.align import stage as align
from stages.asr import stage as asr
from stages.attribute import stage as attribute
from stages.check import stage as check
from stages.clean import stage as clean
from stages.compare import stage as compare
from stages.condense import stage as condense
from stages.correct import stage as correct
from stages.demux import stage as demux
from stages.diarize import stage as diarize
from stages.entities import stage as entities
from stages.mux import stage as mux
from stages.ocr import stage as ocr
from stages.refine import stage as refine
from stages.separate import stage as separate
from stages.shots import stage as shots
from stages.sounds import stage as sounds
from stages.subtitle import stage as subtitle
from stages.translate import stage as translate
from stages.vad import stage as vad

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
    """Return the stage called `name`; raises `UsageError` with the nearest name."""
    if name in STAGES:
        return STAGES[name]
    hint = suggestion(name, STAGES, f"the stages are {', '.join(STAGES)}")
    raise UsageError("stage.unknown", f"there is no stage `{name}`", hint=hint)


PARAMETERS = {name: tuple(stage.params.model_fields) for name, stage in STAGES.items()}
TRANSLATE = translate.STAGE.name
ASR = asr.STAGE.name
MUX = mux.STAGE.name
DEMUX = demux.STAGE.name
SUBTITLE = subtitle.STAGE.name
choose_track = demux.choose_track
translators_for = translate.backends_for
roles_for = translate.roles_for
directions_for = translate.directions_for
translates = translate.translates
