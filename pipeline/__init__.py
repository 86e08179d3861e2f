"""The orchestrator: it plans, reuses, sets up, runs and publishes, and never imports a stage's library.

    __main__, cli, parser, paths, commands/, reporters/  what a person or a program types and sees
    errors, events, project, settings, app               the words and parts that all of them share
    registry, recipe, profile, plan, result_key          pure: declarations -> plan -> keys
    result_store, runs, publish                          results by key; the history of runs; files for the user
    environments, tools, model_cache/                    what a step needs before it can run: ensured, verified
    hardware                                             what the machine can compute with, and which profiles suit it
    installing, package_index                            an installer at work, what it says, how it reaches an index
    together                                             what keeps two environments apart, asked of the resolver
    ledger, scheduler, ladder                            pure: what is free, who is next, what to do without memory
    worker, executors/, observed, dispatcher             stage processes: started, given jobs, watched, ended
    folder_walk, media_list, admission, receipts, preview  which media, and what is to be done for each
    watch                                                folders as they fill
    step, item, run, window, batch                       from one step up to many media at once
    report/                                              a run in figures and as a chart, after its end

Direction: `pipeline -> stages (declarations only) -> shared`. Only `registry` imports `stages`, only
`executors/ray_host` imports Ray. Processes are started by `environments`, `installing`, `together`, `tools`, `worker`,
`hardware`, `executors/ray_cluster`, the data-wheel source, `package_index`, and `setup_core`, which the wrapper calls;
by nothing else.
"""
