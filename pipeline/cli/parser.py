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
  ./reel plan film.mkv                    what that would do, and why; writes nothing
"""
EPILOG = """\
exit codes: 0 ok, 1 failed, 2 usage, 3 some items of a batch failed, 4 bad input, 5 a model, environment or tool is
missing, 6 locked by another process, 70 a bug of ours, 130 interrupted
"""


def build_parser() -> argparse.ArgumentParser:
    """The parser of the whole command line; `command` and, for some, `action` say what was asked for."""
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
    doctor = _leaf(commands, "doctor", "what this machine has, what is set up, and what is wrong", "reel doctor")
    doctor.add_argument(
        "--remember", action="store_true", help="write what the machine can compute with to config/hardware_cache.json"
    )
    config = _branch(commands, "config", "settings")
    show = _leaf(config, "show", "every setting with its value", "reel config show --origin")
    show.add_argument("--origin", action="store_true", help="say where each value comes from")
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
        help="any setting or stage parameter, as `asr.beam_size=3`; may be repeated",
    )  # fmt: skip
    _offline(group)
    group.add_argument(
        "--stub", action="store_true", help="stages make valid outputs without a model, to try the plumbing"
    )


def _offline(leaf: argparse._ActionsContainer) -> None:
    leaf.add_argument("--offline", action="store_true", help="never use the network; fail when something is missing")


def _wait(leaf: argparse.ArgumentParser) -> None:
    leaf.add_argument(
        WAIT, nargs="?", const=FOREVER, metavar="TIME",
        help="while another process is at work in the results, wait for it: as long as it takes, or no longer than 10m",
    )  # fmt: skip


def _progress(leaf: argparse.ArgumentParser) -> None:
    leaf.add_argument(
        "--progress",
        choices=("auto", "plain", "none", "json"),
        help="bars on a terminal and lines elsewhere (auto), or one kind",
    )


def _job(leaf: argparse.ArgumentParser) -> None:
    leaf.add_argument("media", nargs="*", metavar="MEDIA", help="files, folders or patterns")
    leaf.add_argument(
        "--manifest", metavar="FILE", help="a list of media, each with settings of its own: JSON lines, or CSV"
    )
    leaf.add_argument(
        "--order", choices=("given", "name", "smallest", "largest", "oldest", "newest"), default="given",
        help="which media come first",
    )  # fmt: skip
    leaf.add_argument("--limit", type=count, metavar="N", help="only the first N media")
    _wishes(leaf)


def _wishes(leaf: argparse.ArgumentParser) -> None:
    leaf.add_argument(
        "--recipe",
        metavar="NAME",
        help="what to make: subtitle, transcribe, translate, names, screen-text, or a recipe file",
    )
    leaf.add_argument("--to", metavar="LANGUAGES", help="target languages, as tags or names, with commas: `pt,en`")
    leaf.add_argument(
        "--glossary", metavar="FILE", help="names and terms to be kept, or translated as this table says: TSV or CSV"
    )
    _guide(leaf)
    leaf.add_argument(
        "--formats",
        metavar="LIST",
        help="subtitle files to write (srt,vtt): srt, vtt, ass, ttml, scc, json, whisper, txt",
    )
    leaf.add_argument("--container", choices=("mkv", "mp4"), help="the film with the subtitles inside (mkv)")
    leaf.add_argument(
        "--beside",
        action=argparse.BooleanOptionalAction,
        help="subtitles beside each media as media servers name them, all else in a hidden folder there, no film",
    )
    leaf.add_argument(
        "--skip-existing", action=argparse.BooleanOptionalAction,
        help="pass over media that have text subtitles in the languages asked for, beside them or inside",
    )  # fmt: skip
    leaf.add_argument(
        "--film",
        action=argparse.BooleanOptionalAction,
        help="make a copy of the film with the subtitles inside, or none",
    )
    leaf.add_argument("--burn-in", metavar="LANGUAGE", help="draw this language's subtitles into the picture")
    leaf.add_argument("-o", "--output", metavar="DIR", help="where the folder for each media goes (out)")
    leaf.add_argument(
        "--replace",
        action="store_true",
        help="write over files that reel did not write, where they have the names of its own; never over a media file",
    )
    leaf.add_argument(
        "--language", metavar="TAG", help="the spoken language, when you know it better than the recogniser"
    )
    leaf.add_argument("--audio-track", type=int, metavar="N", help="which audio track to take, from 0")
    leaf.add_argument("--audio-language", metavar="TAG", help="the language of the audio track to take")
    leaf.add_argument("--speakers", type=int, metavar="N", help="how many people speak")
    leaf.add_argument("--min-speakers", type=int, metavar="N", help="at least so many people speak")
    leaf.add_argument("--max-speakers", type=int, metavar="N", help="at most so many people speak")
    _settings(leaf)


def _add_run(commands: Subparsers[argparse.ArgumentParser]) -> None:
    run = _leaf(
        commands, "run", "do the job for each media; sets up what is missing first", "reel run film.mkv --to pt"
    )
    _job(run)
    run.add_argument(
        "--continue", action="store_true", dest="continuing",
        help="take in what you have corrected in the output folder, and redo what depends on it",
    )  # fmt: skip
    failing = run.add_mutually_exclusive_group()
    failing.add_argument("--keep-going", action="store_true", help="go on with the others when one fails (the default)")
    failing.add_argument("--fail-fast", action="store_true", help="end the run when one fails")
    _cluster(run)
    run.add_argument("--retry-failed", action="store_true", help="only what failed in the last run that had failures")
    _wait(run)
    _progress(run)


def _add_watch(commands: Subparsers[argparse.ArgumentParser]) -> None:
    watch = _leaf(
        commands,
        "watch",
        "do the job for each media that comes into a folder, until Ctrl-C",
        "reel watch inbox -o done",
    )
    watch.add_argument("folders", nargs="+", metavar="DIR", help="folders; looked through with all below them")
    watch.add_argument(
        "--settle", type=seconds, default=3.0, metavar="SECONDS",
        help="how long nothing must have changed about a file before it counts as whole (3)",
    )  # fmt: skip
    _wishes(watch)
    watch.add_argument("--fail-fast", action="store_true", help="end when one media fails")
    _cluster(watch)
    _wait(watch)
    _progress(watch)


def _add_plan(commands: Subparsers[argparse.ArgumentParser]) -> None:
    plan = _leaf(commands, "plan", "what `run` would do and why; writes nothing", "reel plan film.mkv --to pt")
    _job(plan)
    plan.add_argument(
        "--explain", action="store_true", help="for each step, what its key is made of that has changed: old -> new"
    )


def _add_check(commands: Subparsers[argparse.ArgumentParser]) -> None:
    check = _leaf(
        commands, "check", "measure subtitle files against a guide; exits with 1 when a limit is broken",
        "reel check film.en.srt --media film.mkv",
    )  # fmt: skip
    check.add_argument("inputs", nargs="+", metavar="FILE", help="subtitles of any format, from any hand")
    check.add_argument("--media", dest="of", metavar="MEDIA", help="what they belong to, for its end and frame rate")
    check.add_argument("--language", dest="tag", metavar="TAG", help="their language; else as in `film.en.srt`")
    check.add_argument("--reference", metavar="FILE", help="subtitles that are right, to compare with: SubER")
    _guide(check)
    _settings(check)
    _progress(check)


def _guide(leaf: argparse.ArgumentParser) -> None:
    leaf.add_argument("--guide", metavar="NAME", help="the limits to keep to: netflix, bbc, sdh, plain, or a file")


def _add_stage(commands: Subparsers[argparse.ArgumentParser]) -> None:
    stage = _leaf(commands, "stage", "run one stage alone, on plain files", "reel stage asr clip.wav -o results")
    stage.add_argument("name", metavar="NAME", help="the stage: demux, vad, separate, asr, align, diarize, ...")
    stage.add_argument(
        "inputs", nargs="+", metavar="INPUT", help="files in the order of the stage's inputs, or ROLE=FILE"
    )
    stage.add_argument("-o", "--output", required=True, metavar="DIR", help="where the outputs go")
    stage.add_argument("--backend", metavar="NAME", help="the library to use; else the profile's")
    stage.add_argument("--to", metavar="LANGUAGE", help="the target language, for stages that translate")
    _settings(stage)
    _progress(stage)


def _add_envs(commands: Subparsers[argparse.ArgumentParser]) -> None:
    envs = _branch(commands, "envs", "the environments that stages run in")
    _leaf(envs, "list", "each environment, why it is apart, its state and size", "reel envs list")
    for name, summary in (
        ("ensure", "build what is missing or out of date"),
        ("check", "try each environment's own import"),
        ("remove", "delete environments; the next run builds them again"),
    ):
        leaf = _leaf(envs, name, summary, f"reel envs {name} lite")
        which = {"ensure": "; none: those of the profile", "check": "; none: those that are built"}.get(name, "")
        leaf.add_argument("names", nargs="*" if which else "+", metavar="NAME", help=f"environments{which}")
        if name == "ensure":
            _progress(leaf)
            _offline(leaf)
    why = _leaf(envs, "why", "ask the resolver what keeps two environments apart", "reel envs why speech transformers")
    why.add_argument(
        "names", nargs="*", metavar="NAME", help="two environments; none: every declared reason, and which has gone"
    )


def _add_models(commands: Subparsers[argparse.ArgumentParser]) -> None:
    models = _branch(commands, "models", "the one model cache")
    _leaf(models, "list", "each model with its size, licence, state, and who needs it", "reel models list")
    fetch = _leaf(models, "fetch", "bring models into the cache, verified", "reel models fetch faster-whisper-base")
    _which_models(fetch, everything="every model there is")
    fetch.add_argument(
        "--ask", action="store_true", help="state sizes and licences and ask first; without a terminal, do nothing"
    )
    _offline(fetch)
    _progress(fetch)
    add = _leaf(models, "add", "take a folder of yours as a model", "reel models add my-whisper ~/whisper-finetuned")
    add.add_argument("name", metavar="NAME", help="what to call it")
    add.add_argument("folder", metavar="FOLDER", help="its files as a backend wants them; they are copied to the cache")
    add.add_argument("--stage", action="append", metavar="STAGE", help="a stage that it is for; may be repeated")
    add.add_argument("--licence", default="your own", metavar="TEXT", help="what results say of it; default: your own")
    _progress(add)
    _add_upkeep(models)
    lock = _leaf(
        models, "lock", "ask the network for what the lock does not know", "reel models lock faster-whisper-tiny"
    )
    lock.add_argument("names", nargs="*", metavar="NAME", help="models or patterns; none: all that are unresolved")
    lock.add_argument(
        "--revision", metavar="REVISION", help="a branch, tag or commit to pin; else the locked one, or main"
    )
    _offline(lock)
    _progress(lock)


def _add_upkeep(models: Subparsers[argparse.ArgumentParser]) -> None:
    verify = _leaf(
        models, "verify", "check every byte of the cache against the lock", "reel models verify faster-whisper-base"
    )
    _which_models(verify, everything="every model that is there")
    verify.add_argument("--repair", action="store_true", help="drop what is wrong and fetch it again")
    _offline(verify)
    _progress(verify)
    prune = _leaf(models, "prune", "show what no profile needs and what was left half done", "reel models prune")
    prune.add_argument("--yes", action="store_true", help="delete it without a question")
    adopt = _leaf(
        models, "adopt", "take over models from other tools' caches", "reel models adopt ~/.cache/huggingface"
    )
    adopt.add_argument("folders", nargs="+", metavar="FOLDER", help="where they lie; nothing in it is changed")
    export = _leaf(models, "export", "write models into one file for another machine", "reel models export models.tar")
    export.add_argument("file", metavar="FILE", help="the archive to write")
    _which_models(export, everything="every model that is there")
    export.add_argument(
        "--with-environments", action="store_true",
        help="and the packages to build environments from, for this platform and Python",
    )  # fmt: skip
    _progress(export)
    take = _leaf(models, "import", "take in an archive, every byte checked", "reel models import models.tar")
    take.add_argument("file", metavar="FILE", help="an archive that `reel models export` wrote")
    _progress(take)
    key = _leaf(models, "key", "a key for a stored cache: another when the lock wants other bytes", "reel models key")
    _which_models(key, everything="every model of the lock")


def _which_models(leaf: argparse.ArgumentParser, *, everything: str) -> None:
    leaf.add_argument(
        "names", nargs="*", metavar="NAME", help="models, or patterns like 'nllb-*'; none: those of the profile"
    )
    leaf.add_argument("--profile", metavar="NAME", help="the models of this profile")
    leaf.add_argument("--all", action="store_true", help=everything)


def _add_edits(commands: Subparsers[argparse.ArgumentParser]) -> None:
    edits = _branch(commands, "edits", "what you have corrected in published files")
    shown = _leaf(edits, "list", "the corrections of each media", "reel edits list film.mkv")
    drop = _leaf(edits, "drop", "forget corrections; the next run writes what it makes", "reel edits drop film.mkv")
    for leaf in (shown, drop):
        leaf.add_argument("media", metavar="MEDIA", help="the media file")
        leaf.add_argument("-o", "--output", metavar="DIR", help="where the folder for each media is (out)")
    _wait(drop)
    drop.add_argument("names", nargs="*", metavar="FILE", help="published names, as `film.en.srt`; none: all of them")


def _add_runs(commands: Subparsers[argparse.ArgumentParser]) -> None:
    runs = _branch(commands, "runs", "what was run before")
    _leaf(runs, "list", "the runs, newest first", "reel runs list")
    show = _leaf(
        runs, "show", "what one run did and took: by step, by worker, by model, and as a chart", "reel runs show"
    )
    show.add_argument("id", metavar="RUN", nargs="?", help="as `reel runs list` shows it; none: the newest")
    show.add_argument("--steps", action="store_true", help="every step of every media instead")
    show.add_argument("--svg", metavar="FILE", help="write the chart as a picture")
    repair = _leaf(
        runs, "repair", "check every byte of the results, drop what is damaged, make the index anew", "reel runs repair"
    )
    _wait(repair)
    _progress(repair)
    prune = _leaf(
        runs, "prune", "show results that are old and that no published job uses", "reel runs prune --older-than 2w"
    )
    prune.add_argument("--older-than", metavar="AGE", default="30d", help="not used for so long: 12h, 30d, 2w (30d)")
    prune.add_argument("--keep", metavar="SIZE", help="and others until so much is left, what is large first: 20GB")
    prune.add_argument(
        "--intermediates", action="store_true",
        help="and what published jobs were made from; the published results themselves stay",
    )  # fmt: skip
    prune.add_argument(
        "--jobs", action="append", default=[], metavar="DIR",
        help="where published folders were moved to, so that their results count as used; may be repeated",
    )  # fmt: skip
    _wait(prune)
    prune.add_argument("--yes", action="store_true", help="delete them without a question")


def _add_cluster(commands: Subparsers[argparse.ArgumentParser]) -> None:
    cluster = _branch(commands, "cluster", "many machines that work on one batch")
    up = _leaf(cluster, "up", "start a cluster on this machine, or join one", "reel cluster up --join 10.0.0.1:6379")
    up.add_argument("--join", metavar="ADDRESS", help="the address that the first machine has told")
    up.add_argument("--node", metavar="ADDRESS", help="this machine's own address; none: that of its way outside")
    up.add_argument("--port", type=int, default=6379, metavar="N", help="where the first machine listens (6379)")
    up.add_argument(
        "--label", action="append", type=label, default=[], metavar="NAME=N",
        help="what this machine has beside cores and memory, as `nvenc=3`; may be repeated",
    )  # fmt: skip
    up.add_argument("--block", action="store_true", help="stay in the foreground, as Slurm and systemd want it")
    _offline(up)
    status = _leaf(cluster, "status", "the machines of a cluster and what each has", "reel cluster status")
    _cluster(status)
    _leaf(cluster, "down", "end this machine's part with all that runs on it", "reel cluster down")


def _cluster(leaf: argparse._ActionsContainer) -> None:
    leaf.add_argument("--cluster", metavar="ADDRESS", help="the cluster, as `reel cluster up` has told its address")
