"""The command line's grammar. Standard library only, so that `--help` answers before anything heavy is imported."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from pipeline.base.wait_limit import FOREVER
from pipeline.cli.flag_values import WAIT, count, label, seconds, with_waits_spelled_out

DESCRIPTION = """\
Transcripts, translations and subtitles from the best open models, each in its own environment.

  ./reel run film.mkv                     subtitles in the spoken language, and film.mkv with them inside
  ./reel run film.mkv --to pt,en          and in Portuguese and English
  ./reel plan film.mkv                    what `run` would do, and why; writes nothing
"""
EPILOG = """\
exit codes: 0 ok, 1 failed, 2 usage, 3 some items of a batch failed, 4 bad input, 5 a model, environment or tool is
missing, 6 locked by another process, 70 a bug of ours, 130 interrupted
"""


def build_parser() -> argparse.ArgumentParser:
    """Build the parser of the whole command line. `command` and, for some commands, `action` name the request."""
    parser = argparse.ArgumentParser(
        prog="reel", description=DESCRIPTION, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", metavar="command", required=True)
    _add_run(commands)
    _add_watch(commands)
    _add_plan(commands)
    _add_check(commands)
    _add_stage(commands)
    _add_envs(commands)
    _add_models(commands)
    _add_edits(commands)
    _add_runs(commands)
    _add_cluster(commands)
    doctor = _leaf(commands, "doctor", "show this machine's hardware, what is set up, and any problems", "reel doctor")
    doctor.add_argument(
        "--remember", action="store_true", help="write this machine's compute hardware to config/hardware_cache.json"
    )
    config = _branch(commands, "config", "settings")
    show = _leaf(config, "show", "show every setting with its value", "reel config show --origin")
    show.add_argument("--origin", action="store_true", help="show where each value comes from")
    _settings(show)
    return parser


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read a command line, by default this process's own."""
    words = sys.argv[1:] if arguments is None else arguments
    return build_parser().parse_args(with_waits_spelled_out(words))


Subparsers = argparse._SubParsersAction  # the class has no public name


def _leaf(
    commands: Subparsers[argparse.ArgumentParser], name: str, summary: str, example: str
) -> argparse.ArgumentParser:
    leaf: argparse.ArgumentParser = commands.add_parser(
        name, help=summary, description=f"{summary[0].upper()}{summary[1:]}\n\n  ./{example}\n",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    leaf.add_argument("--json", action="store_true", help="print one JSON document instead of text")
    leaf.add_argument("--debug", action="store_true", help="show a traceback with an error")
    return leaf


def _branch(
    commands: Subparsers[argparse.ArgumentParser], name: str, summary: str
) -> Subparsers[argparse.ArgumentParser]:
    branch = commands.add_parser(name, help=summary, description=summary)
    actions: Subparsers[argparse.ArgumentParser] = branch.add_subparsers(dest="action", metavar="action", required=True)
    return actions


def _settings(leaf: argparse.ArgumentParser) -> None:
    group = leaf.add_argument_group("settings")
    group.add_argument(
        "--profile",
        metavar="NAME",
        help="which backends and models; auto: the best that suits this machine",
    )
    group.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE",
        help="set any setting or stage parameter, as `asr.beam_size=3`; may be repeated",
    )  # fmt: skip
    _offline(group)
    group.add_argument(
        "--stub", action="store_true", help="every stage writes a valid placeholder without a model, to test a setup"
    )


def _offline(leaf: argparse._ActionsContainer) -> None:
    leaf.add_argument("--offline", action="store_true", help="never use the network; fail when something is missing")


def _wait(leaf: argparse.ArgumentParser) -> None:
    leaf.add_argument(
        WAIT, nargs="?", const=FOREVER, metavar="TIME",
        help="if another process is using the results, wait until it ends, or at most this long (`10m`)",
    )  # fmt: skip


def _progress(leaf: argparse.ArgumentParser) -> None:
    leaf.add_argument(
        "--progress",
        choices=("auto", "plain", "none", "json"),
        help="how to show progress; auto: bars on a terminal, lines elsewhere",
    )


def _job(leaf: argparse.ArgumentParser) -> None:
    leaf.add_argument("media", nargs="*", metavar="MEDIA", help="files, folders or patterns")
    leaf.add_argument(
        "--manifest", metavar="FILE", help="a list of media files, each with its own settings: JSON lines or CSV"
    )
    leaf.add_argument(
        "--order", choices=("given", "name", "smallest", "largest", "oldest", "newest"), default="given",
        help="which media files come first",
    )  # fmt: skip
    leaf.add_argument("--limit", type=count, metavar="N", help="only the first N media files")
    _wishes(leaf)


def _wishes(leaf: argparse.ArgumentParser) -> None:
    leaf.add_argument(
        "--recipe",
        metavar="NAME",
        help="what to make: subtitle, transcribe, translate, names, screen-text, or a recipe file",
    )
    leaf.add_argument("--to", metavar="LANGUAGES", help="target languages, as tags or names, with commas: `pt,en`")
    leaf.add_argument(
        "--glossary", metavar="FILE", help="a table of names and terms with their required translations: TSV or CSV"
    )
    _guide(leaf)
    leaf.add_argument(
        "--formats",
        metavar="LIST",
        help="subtitle files to write (srt,vtt): srt, vtt, ass, ttml, scc, json, whisper, txt",
    )
    leaf.add_argument("--container", choices=("mkv", "mp4"), help="format of the film with the subtitles inside (mkv)")
    leaf.add_argument(
        "--beside",
        action=argparse.BooleanOptionalAction,
        help="write subtitles next to each media file, named for media servers; the rest to a hidden folder; no film",
    )
    leaf.add_argument(
        "--skip-existing", action=argparse.BooleanOptionalAction,
        help="skip media files that already have text subtitles in the requested languages, inside or next to them",
    )  # fmt: skip
    leaf.add_argument(
        "--film",
        action=argparse.BooleanOptionalAction,
        help="make, or do not make, a copy of the film with the subtitles inside",
    )
    leaf.add_argument("--burn-in", metavar="LANGUAGE", help="draw the subtitles in this language into the picture")
    leaf.add_argument("-o", "--output", metavar="DIR", help="where to put the output folder of each media file (out)")
    leaf.add_argument(
        "--replace",
        action="store_true",
        help="overwrite files that reel did not write if they have an output's name; never a media file",
    )
    leaf.add_argument(
        "--language", metavar="TAG", help="the spoken language; without it, the recogniser identifies the language"
    )
    leaf.add_argument("--audio-track", type=int, metavar="N", help="the number of the audio track to use, from 0")
    leaf.add_argument("--audio-language", metavar="TAG", help="the language of the audio track to use")
    leaf.add_argument("--speakers", type=int, metavar="N", help="how many people speak")
    leaf.add_argument("--min-speakers", type=int, metavar="N", help="the smallest possible number of speakers")
    leaf.add_argument("--max-speakers", type=int, metavar="N", help="the largest possible number of speakers")
    _settings(leaf)


def _add_run(commands: Subparsers[argparse.ArgumentParser]) -> None:
    run = _leaf(
        commands, "run", "run the recipe for each media file; sets up missing parts first", "reel run film.mkv --to pt"
    )
    _job(run)
    run.add_argument(
        "--continue", action="store_true", dest="continuing",
        help="use your corrections in the output folder, and redo the steps that depend on them",
    )  # fmt: skip
    failing = run.add_mutually_exclusive_group()
    failing.add_argument(
        "--keep-going", action="store_true", help="continue with the others if one fails (the default)"
    )
    failing.add_argument("--fail-fast", action="store_true", help="end the run if one file fails")
    _cluster(run)
    run.add_argument("--retry-failed", action="store_true", help="only what failed in the last run that had failures")
    _wait(run)
    _progress(run)


def _add_watch(commands: Subparsers[argparse.ArgumentParser]) -> None:
    watch = _leaf(
        commands,
        "watch",
        "run the recipe for each media file that arrives in a folder, until Ctrl-C",
        "reel watch inbox -o done",
    )
    watch.add_argument("folders", nargs="+", metavar="DIR", help="folders to watch, including their subfolders")
    watch.add_argument(
        "--settle", type=seconds, default=3.0, metavar="SECONDS",
        help="process a file once it has been unchanged for this long (3)",
    )  # fmt: skip
    _wishes(watch)
    watch.add_argument("--fail-fast", action="store_true", help="end if one file fails")
    _cluster(watch)
    _wait(watch)
    _progress(watch)


def _add_plan(commands: Subparsers[argparse.ArgumentParser]) -> None:
    plan = _leaf(commands, "plan", "show what `run` would do and why; writes nothing", "reel plan film.mkv --to pt")
    _job(plan)
    plan.add_argument(
        "--explain",
        action="store_true",
        help="for each step, what changed since it last ran, as old -> new",
    )


def _add_check(commands: Subparsers[argparse.ArgumentParser]) -> None:
    check = _leaf(
        commands, "check", "check subtitle files against a guide; exits with 1 if a limit is exceeded",
        "reel check film.en.srt --media film.mkv",
    )  # fmt: skip
    check.add_argument("inputs", nargs="+", metavar="FILE", help="subtitle files of any format, made by reel or not")
    check.add_argument("--media", dest="of", metavar="MEDIA", help="their media file, for its duration and frame rate")
    check.add_argument("--language", dest="tag", metavar="TAG", help="their language; without it, as in `film.en.srt`")
    check.add_argument("--reference", metavar="FILE", help="correct subtitles to compare them with (SubER)")
    _guide(check)
    _settings(check)
    _progress(check)


def _guide(leaf: argparse.ArgumentParser) -> None:
    leaf.add_argument("--guide", metavar="NAME", help="the subtitle limits: netflix, bbc, sdh, plain, or a file")


def _add_stage(commands: Subparsers[argparse.ArgumentParser]) -> None:
    stage = _leaf(commands, "stage", "run a single stage on files that you name", "reel stage asr clip.wav -o results")
    stage.add_argument("name", metavar="NAME", help="the stage: demux, vad, separate, asr, align, diarize, ...")
    stage.add_argument(
        "inputs", nargs="+", metavar="INPUT", help="files in the order of the stage's inputs, or ROLE=FILE"
    )
    stage.add_argument("-o", "--output", required=True, metavar="DIR", help="the folder for the outputs")
    stage.add_argument("--backend", metavar="NAME", help="the backend to use (that of the profile)")
    stage.add_argument("--to", metavar="LANGUAGE", help="the target language, for stages that translate")
    _settings(stage)
    _progress(stage)


def _add_envs(commands: Subparsers[argparse.ArgumentParser]) -> None:
    envs = _branch(commands, "envs", "the environments that stages run in")
    _leaf(envs, "list", "list the environments: why each is separate, its state and size", "reel envs list")
    for name, summary in (
        ("ensure", "build missing or outdated environments"),
        ("check", "test that each environment can import its packages"),
        ("remove", "delete environments; the next run builds them again"),
    ):
        leaf = _leaf(envs, name, summary, f"reel envs {name} lite")
        which = {"ensure": "; none: those of the profile", "check": "; none: those that are built"}.get(name, "")
        leaf.add_argument("names", nargs="*" if which else "+", metavar="NAME", help=f"environments{which}")
        if name == "ensure":
            _progress(leaf)
            _offline(leaf)
    why = _leaf(envs, "why", "ask the resolver why two environments cannot be one", "reel envs why speech transformers")
    why.add_argument("names", nargs="*", metavar="NAME", help="two environments; none: test every declared reason")


def _add_models(commands: Subparsers[argparse.ArgumentParser]) -> None:
    models = _branch(commands, "models", "the model cache")
    _leaf(models, "list", "list the models: size, licence, state, and which profiles need them", "reel models list")
    fetch = _leaf(models, "fetch", "download and verify models", "reel models fetch faster-whisper-base")
    _which_models(fetch, everything="all models that reel knows")
    fetch.add_argument(
        "--ask", action="store_true", help="show sizes and licences and ask first; without a terminal, do nothing"
    )
    _offline(fetch)
    _progress(fetch)
    add = _leaf(models, "add", "add a folder of your own as a model", "reel models add my-whisper ~/whisper-finetuned")
    add.add_argument("name", metavar="NAME", help="the model's new name")
    add.add_argument("folder", metavar="FOLDER", help="the files as a backend expects them; reel copies them")
    add.add_argument("--stage", action="append", metavar="STAGE", help="a stage that uses the model; may be repeated")
    add.add_argument("--licence", default="your own", metavar="TEXT", help="the licence that results state (your own)")
    _progress(add)
    _add_upkeep(models)
    lock = _leaf(models, "lock", "look up on the network what the lock lacks", "reel models lock faster-whisper-tiny")
    lock.add_argument("names", nargs="*", metavar="NAME", help="models or patterns; none: all with gaps in the lock")
    lock.add_argument(
        "--revision", metavar="REVISION", help="a branch, tag or commit to pin; without it, the locked commit, or main"
    )
    lock.add_argument(
        "--facts", metavar="FILE", help="for maintainers: merge facts from a file in the form of the lock instead"
    )
    _offline(lock)
    _progress(lock)


def _add_upkeep(models: Subparsers[argparse.ArgumentParser]) -> None:
    verify = _leaf(
        models, "verify", "check every byte of the cache against the lock", "reel models verify faster-whisper-base"
    )
    _which_models(verify, everything="all models in the cache")
    verify.add_argument("--repair", action="store_true", help="delete wrong files and download them again")
    _offline(verify)
    _progress(verify)
    prune = _leaf(models, "prune", "show unneeded models and interrupted downloads", "reel models prune")
    prune.add_argument("--yes", action="store_true", help="delete them without asking")
    adopt = _leaf(
        models, "adopt", "copy models from the caches of other tools", "reel models adopt ~/.cache/huggingface"
    )
    adopt.add_argument("folders", nargs="+", metavar="FOLDER", help="the other cache; it is not changed")
    export = _leaf(models, "export", "write models into one file for another machine", "reel models export models.tar")
    export.add_argument("file", metavar="FILE", help="the archive to write")
    _which_models(export, everything="all models in the cache")
    export.add_argument(
        "--with-environments", action="store_true",
        help="include the packages of the environments, for this platform and Python",
    )  # fmt: skip
    _progress(export)
    take = _leaf(models, "import", "add the models of an archive, every byte checked", "reel models import models.tar")
    take.add_argument("file", metavar="FILE", help="an archive that `reel models export` wrote")
    _progress(take)
    key = _leaf(models, "key", "print a key for a CI cache of the models", "reel models key")
    _which_models(key, everything="all models in the lock")


def _which_models(leaf: argparse.ArgumentParser, *, everything: str) -> None:
    leaf.add_argument(
        "names", nargs="*", metavar="NAME", help="models, or patterns like 'nllb-*'; none: those of the profile"
    )
    leaf.add_argument("--profile", metavar="NAME", help="the models of this profile")
    leaf.add_argument("--all", action="store_true", help=everything)


def _add_edits(commands: Subparsers[argparse.ArgumentParser]) -> None:
    edits = _branch(commands, "edits", "your corrections in published files")
    shown = _leaf(edits, "list", "list the corrections for a media file", "reel edits list film.mkv")
    drop = _leaf(edits, "drop", "forget corrections; the next run overwrites the files", "reel edits drop film.mkv")
    for leaf in (shown, drop):
        leaf.add_argument("media", metavar="MEDIA", help="the media file")
        leaf.add_argument("-o", "--output", metavar="DIR", help="where the output folder of the media file is (out)")
    _wait(drop)
    drop.add_argument("names", nargs="*", metavar="FILE", help="published files, as `film.en.srt`; none: all of them")


def _add_runs(commands: Subparsers[argparse.ArgumentParser]) -> None:
    runs = _branch(commands, "runs", "the history of runs, and their results")
    _leaf(runs, "list", "list the runs, newest first", "reel runs list")
    show = _leaf(runs, "show", "show a run: time and memory by step, worker and model, and a chart", "reel runs show")
    show.add_argument("id", metavar="RUN", nargs="?", help="as `reel runs list` shows it; none: the newest")
    show.add_argument("--steps", action="store_true", help="show every step of every media file instead")
    show.add_argument("--svg", metavar="FILE", help="write the chart as a picture")
    repair = _leaf(
        runs, "repair", "check every byte of the results, delete damaged ones, rebuild the index", "reel runs repair"
    )
    _wait(repair)
    _progress(repair)
    prune = _leaf(runs, "prune", "show old results that no published job uses", "reel runs prune --older-than 2w")
    prune.add_argument("--older-than", metavar="AGE", default="30d", help="unused for this long: 12h, 30d, 2w (30d)")
    prune.add_argument("--keep", metavar="SIZE", help="also the largest others, until this much is left: 20GB")
    prune.add_argument(
        "--intermediates", action="store_true",
        help="also the intermediate results of published jobs; the published results stay",
    )  # fmt: skip
    prune.add_argument(
        "--jobs", action="append", default=[], metavar="DIR",
        help="a folder that published jobs were moved to, so that their results count as used; may be repeated",
    )  # fmt: skip
    _wait(prune)
    prune.add_argument("--yes", action="store_true", help="delete them without asking")


def _add_cluster(commands: Subparsers[argparse.ArgumentParser]) -> None:
    cluster = _branch(commands, "cluster", "several machines that share a batch")
    up = _leaf(cluster, "up", "start a cluster on this machine, or join one", "reel cluster up --join 10.0.0.1:6379")
    up.add_argument("--join", metavar="ADDRESS", help="the address that `reel cluster up` printed on the first machine")
    up.add_argument("--node", metavar="ADDRESS", help="this machine's address; none: that of its default route")
    up.add_argument("--port", type=int, default=6379, metavar="N", help="the port of the first machine (6379)")
    up.add_argument(
        "--label", action="append", type=label, default=[], metavar="NAME=N",
        help="another resource of this machine, as `nvenc=3`; may be repeated",
    )  # fmt: skip
    up.add_argument("--block", action="store_true", help="stay in the foreground, as Slurm and systemd need")
    _offline(up)
    status = _leaf(cluster, "status", "show the machines of a cluster and their resources", "reel cluster status")
    _cluster(status)
    _leaf(cluster, "down", "leave the cluster, and end its work on this machine", "reel cluster down")


def _cluster(leaf: argparse._ActionsContainer) -> None:
    leaf.add_argument("--cluster", metavar="ADDRESS", help="the cluster's address, as `reel cluster up` printed it")
