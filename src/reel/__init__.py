"""reel from Python: plan and run jobs, follow them, and read what they made.

    import reel

    for event in (job := reel.run("film.mkv", to=["pt"])):
        print(event.kind, event.step)
    for film in job.result().files:
        print(film.state, *film.published)

It is the command `reel` with values of Python for words and text: each function starts that command in a process of its
own. So nothing can be done here that the command line cannot do, and nothing of reel's is imported into this process.
Times are whole milliseconds, languages BCP-47 tags.
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
