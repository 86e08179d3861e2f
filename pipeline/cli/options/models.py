"""The arguments of `models` and `envs`."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.cli.flag_values import given, split_list
from pipeline.cli.options.declare import HOW, MAKE, PLACE, TAKE, Arguments, argument, flag, repeated, switch
from pipeline.cli.options.shared import FirstUseFlags, OfflineFlag, ProgressFlag

_IN_THE_CACHE = "all models in the cache"


@dataclass(frozen=True, kw_only=True, eq=False)
class SelectModels(Arguments):
    """The flags that select models; each command says what `--all` selects."""

    names: tuple[str, ...] = argument(
        "NAME", "models, or patterns like 'nllb-*'; none: those of the profile", "*", kind="model"
    )
    profile: str | None = flag(
        "--profile", group=TAKE, metavar="NAME", setting="profile", kind="profile", help="the models of this profile"
    )
    languages: str | None = flag(
        "--languages", group=TAKE, metavar="LANGUAGES", setting="languages", kind="language", read=given,
        help="also the models for these spoken languages, as tags or names, with commas: `en,hi`",
    )  # fmt: skip
    all: bool = switch("--all", group=TAKE, help="all models in the lock")


@dataclass(frozen=True, kw_only=True, eq=False)
class ListModels(Arguments):
    profile: str | None = flag(
        "--profile", group=TAKE, metavar="NAME", setting="profile", kind="profile",
        help="only the models of this profile",
    )  # fmt: skip
    languages: str | None = flag(
        "--languages", group=TAKE, metavar="LANGUAGES", setting="languages", kind="language", read=given,
        help="the spoken languages whose models count as needed: `en,hi`",
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True, eq=False)
class FetchModels(SelectModels, OfflineFlag, FirstUseFlags, ProgressFlag):
    all: bool = switch("--all", group=TAKE, help="all models that reel knows")
    ask: bool = switch("--ask", group=HOW, help="show sizes and licences and ask first; without a terminal, do nothing")


@dataclass(frozen=True, kw_only=True, eq=False)
class VerifyModels(SelectModels, OfflineFlag, ProgressFlag):
    all: bool = switch("--all", group=TAKE, help=_IN_THE_CACHE)
    repair: bool = switch("--repair", group=HOW, help="delete wrong files and download them again")


@dataclass(frozen=True, kw_only=True, eq=False)
class ExportModels(SelectModels, ProgressFlag):
    file: str = argument("FILE", "the archive to write", group=PLACE, kind="file")
    all: bool = switch("--all", group=TAKE, help=_IN_THE_CACHE)
    with_environments: bool = switch(
        "--with-environments", group=TAKE, help="include the packages of the environments, for this platform and Python"
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class AddModel(ProgressFlag):
    name: str = argument("NAME", "the model's new name", group=MAKE)
    folder: str = argument(
        "FOLDER", "the files as a backend expects them; reel copies them", group=MAKE, kind="folder"
    )  # fmt: skip
    stages: tuple[str, ...] = repeated(
        "--stage", group=MAKE, metavar="STAGE", kind="stage", help="a stage that uses the model; may be repeated"
    )
    licence: str = flag(
        "--licence", group=MAKE, metavar="TEXT", default="your own", help="the licence that results state (your own)"
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class LockModels(OfflineFlag, ProgressFlag):
    names: tuple[str, ...] = argument("NAME", "models or patterns; none: all with gaps in the lock", "*", kind="model")
    profile: str | None = flag(
        "--profile", group=TAKE, metavar="NAME", setting="profile", kind="profile",
        help="the models of this profile that have gaps in the lock",
    )  # fmt: skip
    revision: str | None = flag(
        "--revision", group=TAKE, metavar="REVISION",
        help="a branch, tag or commit to pin; without it, the locked commit, or main",
    )  # fmt: skip
    drop: bool = switch("--drop", group=HOW, help="forget what was locked here, so that the shipped lock counts again")
    shipped: bool = switch(
        "--shipped", group=PLACE, help="for maintainers: write to config/models.lock.json instead of the overlay"
    )
    accept_code: tuple[str, ...] | None = flag(
        "--accept-code", group=HOW, metavar="MODELS", setting="accept_code", read=split_list, kind="model",
        help="models whose own Python code may be locked without a question: `indictrans2-*`",
    )  # fmt: skip
    facts: str | None = flag(
        "--facts", group=TAKE, metavar="FILE", kind="file",
        help="for maintainers: merge facts from a file in the form of the lock instead",
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True, eq=False)
class PruneModels(Arguments):
    yes: bool = switch("--yes", group=HOW, help="delete them without asking")


@dataclass(frozen=True, kw_only=True, eq=False)
class AdoptModels(FirstUseFlags):
    folders: tuple[str, ...] = argument("FOLDER", "the other cache; it is not changed", "+", kind="folder")


@dataclass(frozen=True, kw_only=True, eq=False)
class ImportModels(FirstUseFlags, ProgressFlag):
    file: str = argument("FILE", "an archive that `reel models export` wrote", kind="file")


@dataclass(frozen=True, kw_only=True, eq=False)
class EnsureEnvironments(OfflineFlag, ProgressFlag):
    names: tuple[str, ...] = argument("NAME", "environments; none: those of the profile", "*", kind="environment")


@dataclass(frozen=True, kw_only=True, eq=False)
class CheckEnvironments(Arguments):
    names: tuple[str, ...] = argument("NAME", "environments; none: those that are built", "*", kind="environment")


@dataclass(frozen=True, kw_only=True, eq=False)
class RemoveEnvironments(Arguments):
    names: tuple[str, ...] = argument("NAME", "environments", "+", kind="environment")


@dataclass(frozen=True, kw_only=True, eq=False)
class WhyEnvironments(Arguments):
    names: tuple[str, ...] = argument(
        "NAME", "two environments; none: test every declared reason", "*", kind="environment"
    )
