"""The orchestrator: it plans, reuses, sets up, runs and publishes, and never imports a stage's library.

    cli           the command line: parse, run one command, print its result
    engine        one run: files in, items, steps, results
    workers       stage processes on this machine or on many: started, given jobs, watched, ended
    publishing    published files, corrections, and what may be deleted
    model_cache   the one model cache: fetched, verified, pinned
    environments  one virtual environment for each family of stages
    store         results by key, their index, and the history of runs
    plan          pure: from declarations to a plan, and to the keys of its results
    base          errors, events, settings, folders, the machine

A package imports those below it and none above; `tests/test_house.py` holds the table. Only `plan/registry` imports
`stages`, and only `workers/ray/host` imports Ray.
"""
