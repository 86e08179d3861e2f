"""Flags that several commands have."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.base.wait_limit import FOREVER
from pipeline.cli.flag_values import WAIT, split_list
from pipeline.cli.options.declare import HOW, MAKE, PLACE, SHOW, Arguments, flag, repeated, switch, toggle


@dataclass(frozen=True, kw_only=True, eq=False)
class ProgressFlag(Arguments):
    progress: str | None = flag(
        "--progress", group=SHOW, setting="progress", excludes="progress",
        choices=("auto", "plain", "verbose", "none", "quiet", "json"),
        help="how to show progress; auto: bars on a terminal, lines elsewhere; none: notes and errors only",
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True, eq=False)
class OfflineFlag(Arguments):
    offline: bool | None = switch(
        "--offline", group=HOW, setting="offline", help="never use the network; fail when something is missing"
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class FirstUseFlags(Arguments):
    """The flags that say what this machine may lock by itself."""

    locked: bool | None = toggle(
        "--locked", group=HOW, setting="locked",
        help="use only models of the shipped lock; lock none at first use (the default where CI is true)",
    )  # fmt: skip
    accept_code: tuple[str, ...] | None = flag(
        "--accept-code", group=HOW, metavar="MODELS", setting="accept_code", read=split_list, kind="model",
        help="models whose own Python code may be locked at first use without a question: `indictrans2-*`",
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True, eq=False)
class WaitFlag(Arguments):
    wait: str | None = flag(
        WAIT, group=HOW, metavar="TIME", count="?", value=FOREVER, setting="wait",
        help="if another process is using the results, wait until it ends, or at most this long (`10m`)",
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True, eq=False)
class ClusterFlag(Arguments):
    cluster: str | None = flag(
        "--cluster", group=HOW, metavar="ADDRESS", setting="cluster",
        help="the cluster's address, as `reel cluster up` printed it",
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True, eq=False)
class SettingFlags(OfflineFlag):
    """The flags that set any setting and any parameter of a stage."""

    profile: str | None = flag(
        "--profile", group=HOW, metavar="NAME", setting="profile", kind="profile",
        help="which backends and models; auto: the best that suits this machine",
    )  # fmt: skip
    assignments: tuple[str, ...] = repeated(
        "--set", group=HOW, metavar="NAME=VALUE", kind="setting",
        help="set any setting or stage parameter, as `asr.beam_size=3`; may be repeated",
    )  # fmt: skip
    stub: bool | None = switch(
        "--stub", group=HOW, setting="stub",
        help="every stage writes a valid placeholder without a model, to test a setup",
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True, eq=False)
class PlaceFlags(Arguments):
    """The flags that say where published files go."""

    output: str | None = flag(
        "-o", "--output", group=PLACE, metavar="DIR", setting="output_dir", kind="folder",
        help="where to put the output folder of each media file (out)",
    )  # fmt: skip
    beside: bool | None = toggle(
        "--beside", group=PLACE, setting="beside",
        help="write subtitles next to each media file, named for media servers; the rest to a hidden folder; no film",
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True, eq=False)
class GuideFlag(Arguments):
    guide: str | None = flag(
        "--guide", group=MAKE, metavar="NAME", setting="guide", kind="guide",
        help="the subtitle limits: netflix, bbc, sdh, plain, or a file",
    )  # fmt: skip
