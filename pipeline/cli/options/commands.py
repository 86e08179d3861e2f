"""The table of commands: each with its words, summary, examples, arguments and function.

Standard library only and without dataclasses, so that `--help` answers before anything heavy is imported.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.cli.options.declare import Arguments


class Command(NamedTuple):
    """One command; its name is one word, or two.

    `arguments` names a class of `pipeline.cli.options`, and `function` a function of `pipeline.cli.commands`, each as
    `module.name`; they are imported when the command is given. `resumes` says that after an interrupt the same command
    continues the work.
    """

    name: str
    summary: str
    examples: tuple[str, ...]
    arguments: str
    function: str
    resumes: bool = True

    @property
    def words(self) -> tuple[str, ...]:
        """Return the words that name the command: `models`, `fetch`."""
        return tuple(self.name.split())


GROUPS = {
    "stages": "the kinds of work, and what each takes",
    "envs": "the environments that stages run in",
    "models": "the model cache",
    "edits": "your corrections in published files",
    "runs": "the history of runs, and their results",
    "cluster": "several machines that share a batch",
    "config": "settings",
}
"""The first words that several commands share, with what the group is about, in the order of the help page."""

COMMANDS = (
    Command(
        "run", "run the recipe for each media file; sets up missing parts first",
        ("reel run film.mkv --to pt",), "jobs.RunMedia", "run.run",
    ),
    Command(
        "watch", "run the recipe for each media file that arrives in a folder, until Ctrl-C",
        ("reel watch inbox -o done",), "jobs.WatchFolders", "watch.watch",
    ),
    Command(
        "serve", "show a page in the browser, and serve other programs: Bazarr, OpenAI's clients, media servers",
        ("reel serve --media /films",), "serve.ServeFlags", "serve.serve",
    ),
    Command(
        "hook", "tell `serve` of a new film, as a custom script of Sonarr or Radarr",
        ("reel hook",), "serve.HookFlags", "serve.hook", resumes=False,
    ),
    Command(
        "plan", "show what `run` would do and why; writes nothing",
        ("reel plan film.mkv --to pt",), "jobs.PlanMedia", "plan.plan", resumes=False,
    ),
    Command(
        "check", "check subtitle files against a guide; exits with 1 if a limit is exceeded",
        ("reel check film.en.srt --media film.mkv",), "single.CheckSubtitles", "check.check",
    ),
    Command(
        "sync", "put a subtitle file in step with its film; its text stays, the result is a new file",
        ("reel sync film.mkv film.en.srt",), "single.SyncSubtitles", "run.sync",
    ),
    Command(
        "stage", "run a single stage on files that you name",
        ("reel stage asr clip.wav -o results",), "single.RunStage", "stage.run_stage", resumes=False,
    ),
    Command(
        "stages list", "list the stages with their backends",
        ("reel stages list",), "declare.Arguments", "config.list_stages", resumes=False,
    ),
    Command(
        "stages show", "show the inputs, outputs, parameters and backends of a stage",
        ("reel stages show asr",), "single.ShowStage", "config.show_stage", resumes=False,
    ),
    Command(
        "stages new", "write the skeleton of a stage, with its tests, in this checkout",
        ("reel stages new word_count",), "single.NewStage", "stage.write_stage", resumes=False,
    ),
    Command(
        "stages new-backend", "write the skeleton of a backend of a stage, in this checkout",
        ("reel stages new-backend vad my-detector",), "single.NewBackend", "stage.write_backend", resumes=False,
    ),
    Command(
        "recipes", "list the recipes, for `--recipe`",
        ("reel recipes",), "declare.Arguments", "config.list_recipes", resumes=False,
    ),
    Command(
        "profiles", "list the profiles, for `--profile`",
        ("reel profiles",), "declare.Arguments", "config.list_profiles", resumes=False,
    ),
    Command(
        "guides", "list the guides, for `--guide`",
        ("reel guides",), "declare.Arguments", "config.list_guides", resumes=False,
    ),
    Command(
        "setup", "set up this machine: choose its profile, build the environments, fetch the models",
        ("reel setup --cache-models",), "machine.SetUpMachine", "machine.set_up_machine",
    ),
    Command(
        "envs list", "list the environments: why each is separate, its state and size",
        ("reel envs list",), "declare.Arguments", "envs.list_environments",
    ),
    Command(
        "envs ensure", "build missing or outdated environments",
        ("reel envs ensure lite",), "models.EnsureEnvironments", "envs.ensure",
    ),
    Command(
        "envs check", "test that each environment can import its packages",
        ("reel envs check lite",), "models.CheckEnvironments", "envs.check",
    ),
    Command(
        "envs remove", "delete environments; the next run builds them again",
        ("reel envs remove lite",), "models.RemoveEnvironments", "envs.remove",
    ),
    Command(
        "envs why", "ask the resolver why two environments cannot be one",
        ("reel envs why speech transformers",), "models.WhyEnvironments", "envs.why",
    ),
    Command(
        "models list", "list the models: what is complete, what can be fetched, what needs your agreement",
        ("reel models list --profile best",), "models.ListModels", "models.list_models",
    ),
    Command(
        "models fetch", "download and verify models",
        ("reel models fetch --profile best --languages en,hi",), "models.FetchModels", "model_fetch.fetch",
    ),
    Command(
        "models add", "add a folder of your own as a model",
        ("reel models add my-whisper ~/whisper-finetuned",), "models.AddModel", "model_fetch.add",
    ),
    Command(
        "models verify", "check every byte of the cache against the lock",
        ("reel models verify faster-whisper-base",), "models.VerifyModels", "models_upkeep.verify",
    ),
    Command(
        "models prune", "show unneeded models and interrupted downloads",
        ("reel models prune",), "models.PruneModels", "models_upkeep.prune",
    ),
    Command(
        "models adopt", "copy models from the caches of other tools",
        ("reel models adopt ~/.cache/huggingface",), "models.AdoptModels", "models_upkeep.adopt_caches",
    ),
    Command(
        "models export", "write models into one file for another machine",
        ("reel models export models.tar",), "models.ExportModels", "models_archive.export_models",
    ),
    Command(
        "models import", "add the models of an archive, every byte checked",
        ("reel models import models.tar",), "models.ImportModels", "models_archive.import_models",
    ),
    Command(
        "models key", "print a key for a CI cache of the models",
        ("reel models key",), "models.SelectModels", "models_upkeep.key",
    ),
    Command(
        "models lock", "look up on the network what the lock lacks",
        ("reel models lock faster-whisper-tiny",), "models.LockModels", "models_lock.lock",
    ),
    Command(
        "edits list", "list the corrections for a media file",
        ("reel edits list film.mkv",), "single.ListEdits", "edits.list_edits",
    ),
    Command(
        "edits show", "show single corrections: what was there, and what you wrote",
        ("reel edits show film.mkv",), "single.ShowEdits", "edits.show",
    ),
    Command(
        "edits drop", "forget corrections; the next run overwrites the files",
        ("reel edits drop film.mkv",), "single.DropEdits", "edits.drop",
    ),
    Command("runs list", "list the runs, newest first", ("reel runs list",), "declare.Arguments", "runs.list_runs"),
    Command(
        "runs show", "show a run: time and memory by step, worker and model, and a chart",
        ("reel runs show",), "machine.ShowRun", "runs.show",
    ),
    Command(
        "runs report", "write a report on a run or a published job: one page that needs no network",
        ("reel runs report -o report.html", "reel runs report out/film -o report.html"),
        "machine.ReportRun", "runs.report",
    ),
    Command(
        "runs log", "show the logs of a run: what the libraries of its stages printed",
        ("reel runs log --only asr",), "machine.ShowLog", "runs.log", resumes=False,
    ),
    Command(
        "runs repair", "check every byte of the results, delete damaged ones, rebuild the index",
        ("reel runs repair",), "machine.RepairRuns", "runs_upkeep.repair_results",
    ),
    Command(
        "runs forget", "forget what earlier runs learned about memory or cards, so that the next run tries again",
        ("reel runs forget fallbacks",), "machine.ForgetRuns", "runs_upkeep.forget",
    ),
    Command(
        "runs prune", "show old results that no published job uses",
        ("reel runs prune --older-than 2w",), "machine.PruneRuns", "runs_upkeep.prune",
    ),
    Command(
        "cluster up", "start a cluster on this machine, or join one",
        ("reel cluster up --join 10.0.0.1:6379",), "machine.StartNode", "cluster.up",
    ),
    Command(
        "cluster status", "show the machines of a cluster and their resources",
        ("reel cluster status",), "shared.ClusterFlag", "cluster.status",
    ),
    Command(
        "cluster down", "leave the cluster, and end its work on this machine",
        ("reel cluster down",), "declare.Arguments", "cluster.down",
    ),
    Command(
        "doctor", "show this machine's hardware, what is set up, and any problems",
        ("reel doctor",), "machine.CheckMachine", "machine.doctor", resumes=False,
    ),
    Command(
        "config show", "show every setting with its value",
        ("reel config show --origin",), "machine.ShowSettings", "config.show", resumes=False,
    ),
    Command(
        "help", "show the help of a command",
        ("reel help run", "reel help models fetch"), "machine.ShowHelp", "help.show_help", resumes=False,
    ),
    Command(
        "completion", "print the code that makes a shell complete commands and names",
        ("reel completion bash",), "machine.PrintCompletion", "help.print_completion", resumes=False,
    ),
    Command("version", "show the version of reel", ("reel version",), "declare.Arguments", "help.show_version"),
)  # fmt: skip

WELCOME = Command("", "say what reel does and whether it is set up", (), "declare.Arguments", "help.welcome", False)
"""The command of a call without any word."""


def command_named(words: Sequence[str]) -> Command | None:
    """Return the command that the first words name; None where they name none."""
    if not words:
        return WELCOME
    return next((command for command in COMMANDS if tuple(words[: len(command.words)]) == command.words), None)


def arguments_of(command: Command) -> type[Arguments]:
    """Return the class of a command's arguments."""
    module, _, name = command.arguments.partition(".")
    found: type[Arguments] = getattr(import_module(f"pipeline.cli.options.{module}"), name)
    return found
