"""The orchestrator: it plans, reuses, sets up, runs and publishes, and never imports a stage's library.

    cli, parser, paths, commands/, reporters/            what a person or a program types and sees
    errors, events, project, settings, app               the words and parts that all of them share
    registry, recipe, profile, plan, result_key          pure: declarations -> plan -> keys
    result_store, runs, publish                          results by key; the history of runs; files for the user
    environments, tools, model_cache/                    what a step needs before it can run: ensured, verified
    worker, executors/, step, preview, item, run, batch  from one process up to many media

Direction: `pipeline -> stages (declarations only) -> shared`. Only `registry` imports `stages`; only `environments`,
`tools`, `worker`, the data-wheel source and `setup_core`, which the wrapper calls, start processes.
"""
