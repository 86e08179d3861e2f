"""Use reel from Python: plan and run jobs, follow their events, and read their results.

    import reel

    for event in (job := reel.run("film.mkv", to=["pt"])):
        print(event.kind, event.step)
    for film in job.result().files:
        print(film.state, *film.published)

Each function runs the command `reel` in a process of its own, with Python values in place of words and text. So it can
do what the command line can do, and none of reel's libraries is imported into this process. Times are whole
milliseconds, languages are BCP-47 tags.
"""

from reel._command import ReelError
from reel._documents import Cue, CueSheet, Segment, Transcript, Word, read_cues, read_transcript
from reel._jobs import Event, FileResult, Plan, PlannedFile, PlannedStep, Run, RunResult, plan, run

__all__ = [
    "Cue",
    "CueSheet",
    "Event",
    "FileResult",
    "Plan",
    "PlannedFile",
    "PlannedStep",
    "ReelError",
    "Run",
    "RunResult",
    "Segment",
    "Transcript",
    "Word",
    "plan",
    "read_cues",
    "read_transcript",
    "run",
]
