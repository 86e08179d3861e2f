"""The registry of stages: each folder of `stages` with a contract. The only module of the orchestrator that imports
`stages`.

If a contract cannot be imported, the other stages still work, and the error is raised when something needs that stage.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

from pipeline.base.code_place import place_in_code
from pipeline.base.errors import ReelError, UsageError
from pipeline.base.project import CODE_ROOT
from shared.nearest import suggestion
from shared.stage import Stage

if TYPE_CHECKING:
    from stages.demux import stage as demux
    from stages.translate import stage as translate

# In the order in which a job usually runs them; other stages follow in the order of their names.
_ORDER = (
    "probe", "demux", "shots", "read", "separate", "vad", "sample", "fit", "sounds", "asr", "align", "sync", "diarize",
    "attribute", "clean", "assemble", "correct", "refine", "translate", "condense", "subtitle", "bilingual", "entities",
    "pages", "ocr", "check", "compare", "mux",
)  # fmt: skip
# Errors in a module under development. An interrupt and a lack of memory are not among them.
_MISTAKES = (
    ArithmeticError, AssertionError, AttributeError, ImportError, LookupError, NameError, OSError, RuntimeError,
    SyntaxError, TypeError, ValueError,
)  # fmt: skip


class StageBroken(ReelError):
    """Raised for a stage whose contract cannot be imported."""


def _load() -> tuple[dict[str, Stage], dict[str, StageBroken]]:
    """Return the stages by name, and the errors of those that cannot be loaded."""
    names = {path.parent.name for path in (CODE_ROOT / "stages").glob("*/stage.py")}
    stages, broken = {}, {}
    for name in (*(name for name in _ORDER if name in names), *sorted(names - {*_ORDER})):
        try:
            stage = import_module(f"stages.{name}.stage").STAGE
            if not isinstance(stage, Stage) or stage.name != name:
                raise ValueError(f"STAGE is not a stage with the name `{name}` of its folder")
            stages[name] = stage
        except _MISTAKES as error:
            broken[name] = _broken(name, error)
    return stages, broken


def _broken(name: str, error: Exception) -> StageBroken:
    text = "".join(traceback.format_exception(error))
    file = CODE_ROOT / "stages" / name / "stage.py"
    place = place_in_code(text.replace(__file__, ""), CODE_ROOT) or file.relative_to(CODE_ROOT).as_posix()
    reason = " ".join(str(error).split())
    message = f"the stage {name} cannot be loaded: {type(error).__name__}: {reason}, at {place}"
    return StageBroken("stage.broken", message, hint="correct the file; the other stages are not affected")


STAGES, BROKEN = _load()


def stage_named(name: str) -> Stage:
    """Return the stage `name`. Raises `UsageError`, which names a similar stage, or `StageBroken`."""
    if name in STAGES:
        return STAGES[name]
    if name in BROKEN:
        raise BROKEN[name]
    hint = suggestion(name, STAGES, f"the stages are {', '.join(STAGES)}")
    raise UsageError("stage.unknown", f"there is no stage `{name}`", hint=hint)


def _function_of(stage: str, function: str) -> Callable[..., Any]:
    """Return a function of a contract, imported when it is called. The call raises `StageBroken` for a broken stage."""

    def call(*arguments: Any, **options: Any) -> Any:
        return getattr(import_module(stage_named(stage).module), function)(*arguments, **options)

    return call


PARAMETERS = {name: tuple(stage.params.model_fields) for name, stage in STAGES.items()}
TRANSLATE, ASR, MUX, DEMUX, SUBTITLE = "translate", "asr", "mux", "demux", "subtitle"
READ, ASSEMBLE, FIT, BILINGUAL = "read", "assemble", "fit", "bilingual"
if TYPE_CHECKING:
    choose_track = demux.choose_track
    translators_for = translate.backends_for
    roles_for = translate.roles_for
    directions_for = translate.directions_for
    listens = translate.listens
    translates = translate.translates
else:
    choose_track = _function_of(DEMUX, "choose_track")
    translators_for = _function_of(TRANSLATE, "backends_for")
    roles_for = _function_of(TRANSLATE, "roles_for")
    directions_for = _function_of(TRANSLATE, "directions_for")
    listens = _function_of(TRANSLATE, "listens")
    translates = _function_of(TRANSLATE, "translates")
