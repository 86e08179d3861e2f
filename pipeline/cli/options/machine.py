"""The arguments of `runs`, `cluster`, `doctor` and `config`."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.cli.flag_values import given, label, whole
from pipeline.cli.options.declare import HOW, MAKE, PLACE, SHOW, TAKE, Arguments, argument, flag, repeated, switch
from pipeline.cli.options.shared import FirstUseFlags, OfflineFlag, ProgressFlag, SettingFlags, WaitFlag


@dataclass(frozen=True, kw_only=True, eq=False)
class ShowRun(Arguments):
    id: str | None = argument("RUN", "as `reel runs list` shows it; none: the newest", "?")
    steps: bool = switch("--steps", group=SHOW, help="show every step of every media file instead")
    svg: str | None = flag("--svg", group=PLACE, metavar="FILE", kind="file", help="write the chart as a picture")


@dataclass(frozen=True, kw_only=True, eq=False)
class ShowLog(Arguments):
    id: str | None = argument("RUN", "as `reel runs list` shows it; none: the newest", "?")
    only: str | None = flag("--only", group=TAKE, metavar="NAME", help="only the logs with this in their names: `asr`")


@dataclass(frozen=True, kw_only=True, eq=False)
class ReportRun(Arguments):
    what: str | None = argument(
        "RUN", "as `reel runs list` shows it, or the folder of a published job; none: the newest run", "?"
    )
    output: str | None = flag(
        "-o", "--output", group=PLACE, metavar="FILE", kind="file",
        help="the file to write, as `report.html`; only another report is replaced; none: standard output",
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True, eq=False)
class RepairRuns(WaitFlag, ProgressFlag):
    pass


@dataclass(frozen=True, kw_only=True, eq=False)
class PruneRuns(WaitFlag):
    older_than: str = flag(
        "--older-than", group=TAKE, metavar="AGE", default="30d", help="unused for this long: 12h, 30d, 2w (30d)"
    )
    keep: str | None = flag(
        "--keep", group=TAKE, metavar="SIZE", help="also the largest others, until this much is left: 20GB"
    )
    intermediates: bool = switch(
        "--intermediates", group=TAKE,
        help="also the intermediate results of published jobs; the published results stay",
    )  # fmt: skip
    jobs: tuple[str, ...] = repeated(
        "--jobs", group=TAKE, metavar="DIR", kind="folder",
        help="a folder that published jobs were moved to, so that their results count as used; may be repeated",
    )  # fmt: skip
    yes: bool = switch("--yes", group=HOW, help="delete them without asking")


@dataclass(frozen=True, kw_only=True, eq=False)
class ForgetRuns(WaitFlag):
    what: str = argument(
        "WHAT", "`fallbacks`: which steps ran out of memory; `cards`: what was proved to compute on a card or not"
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class StartNode(OfflineFlag):
    join: str | None = flag(
        "--join", group=HOW, metavar="ADDRESS", help="the address that `reel cluster up` printed on the first machine"
    )
    node: str | None = flag(
        "--node", group=HOW, metavar="ADDRESS", help="this machine's address; none: that of its default route"
    )
    port: int = flag(
        "--port", group=HOW, metavar="N", read=whole, default=6379, help="the port of the first machine (6379)"
    )
    labels: tuple[tuple[str, float], ...] = repeated(
        "--label", group=HOW, metavar="NAME=N", read=label,
        help="another resource of this machine, as `nvenc=3`; may be repeated",
    )  # fmt: skip
    block: bool = switch("--block", group=HOW, help="stay in the foreground, as Slurm and systemd need")


@dataclass(frozen=True, kw_only=True, eq=False)
class SetUpMachine(OfflineFlag, FirstUseFlags, ProgressFlag):
    profile: str | None = flag(
        "--profile", group=MAKE, metavar="NAME", setting="profile", kind="profile",
        help="the profile to set up; without it, the one that suits this machine",
    )  # fmt: skip
    languages: str | None = flag(
        "--languages", group=MAKE, metavar="LANGUAGES", setting="languages", kind="language", read=given,
        help="also the models for these spoken languages, as tags or names, with commas: `en,hi`",
    )  # fmt: skip
    cache_models: bool = switch("--cache-models", group=HOW, excludes="models", help="fetch the profile's models too")
    skip_cache: bool = switch(
        "--skip-cache", group=HOW, excludes="models",
        help="do not; without either, you are asked at a terminal, and nothing is fetched elsewhere",
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True, eq=False)
class CheckMachine(Arguments):
    remember: bool = switch(
        "--remember", group=PLACE, help="write this machine's compute hardware to config/hardware_cache.json"
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class ShowHelp(Arguments):
    words: tuple[str, ...] = argument(
        "COMMAND", "the command, as `models fetch`; none: all commands", "*", group=SHOW, kind="command"
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class PrintCompletion(Arguments):
    shell: str = argument("SHELL", "the shell: bash, zsh or fish", group=SHOW, choices=("bash", "zsh", "fish"))


@dataclass(frozen=True, kw_only=True, eq=False)
class ShowSettings(SettingFlags):
    origin: bool = switch("--origin", group=SHOW, help="show where each value comes from")
