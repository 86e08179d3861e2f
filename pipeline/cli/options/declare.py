"""Declares the flags of a command: each is a field of the frozen dataclass that the command receives.

A field's default is what the command receives where the flag is not given. It is None for a flag that sets a setting,
so that the project's own settings apply.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import Field, dataclass, field, fields, replace
from typing import Any, Literal

MAKE, TAKE, PLACE, HOW, SHOW = (
    "what to make", "what to take", "where it goes", "how it runs", "what it shows",
)  # fmt: skip
GROUPS = (TAKE, MAKE, PLACE, HOW, SHOW)
"""The groups of flags, in the order of a help page."""

Kind = Literal[
    "file", "folder", "stage", "backend", "model", "environment", "profile", "recipe", "guide", "language", "setting",
    "command", "",
]  # fmt: skip
"""Kind of thing that the value of a flag names; shell completion offers these names."""

_FLAG = "flag"  # the key of the `Flag` in a field's metadata


@dataclass(frozen=True)
class Flag:
    """One flag, or a positional argument where `options` is empty. `value` is the value of a flag that is given without
    one. Of the flags of a command with the same `excludes`, at most one may be given."""

    name: str
    options: tuple[str, ...]
    help: str
    group: str
    metavar: str | None = None
    action: Literal["store", "switch", "toggle", "append"] = "store"
    count: Literal["", "?", "*", "+"] = ""
    read: Callable[[str], object] | None = None
    choices: tuple[str, ...] = ()
    value: object = None
    required: bool = False
    excludes: str = ""
    setting: str = ""
    kind: Kind = ""
    default: object = None

    @property
    def spellings(self) -> tuple[str, ...]:
        """Return the ways to write the flag, each with its value: `-o DIR` and `--output DIR`."""
        value = self.metavar or "|".join(self.choices)
        if not self.options:
            return (f"{value}..." if self.count in {"*", "+"} else value,)
        value = f"[{value}]" if self.count == "?" else value
        spellings = tuple(f"{option} {value}".rstrip() for option in self.options)
        return (*spellings, self.options[0].replace("--", "--no-", 1)) if self.action == "toggle" else spellings


def argument(
    metavar: str,
    help: str,
    count: Literal["", "?", "*", "+"] = "",
    *,
    group: str = TAKE,
    kind: Kind = "",
    choices: tuple[str, ...] = (),
) -> Any:
    """Declare a positional argument. `count` is the number of words that it takes, as `nargs` of argparse."""
    default = () if count in {"*", "+"} else None
    required = count in {"", "+"}
    return _field(
        Flag("", (), help, group, metavar, count=count, kind=kind, choices=choices, required=required, default=default)
    )


def flag(
    *options: str,
    group: str,
    help: str,
    metavar: str | None = None,
    read: Callable[[str], object] | None = None,
    **more: Any,
) -> Any:
    """Declare a flag with a value, which `read` turns into the field's type; `more` are further fields of `Flag`."""
    return _field(Flag("", options, help, group, metavar, read=read, **more))


def repeated(
    *options: str,
    group: str,
    help: str,
    metavar: str | None = None,
    read: Callable[[str], object] | None = None,
    kind: Kind = "",
) -> Any:
    """Declare a flag that may be given several times."""
    return _field(Flag("", options, help, group, metavar, "append", read=read, kind=kind, default=()))


def switch(*options: str, group: str, help: str, setting: str = "", excludes: str = "", value: object = True) -> Any:
    """Declare a flag without a value. Where it is not given it is False, or None if it sets a setting to `value`."""
    shared: dict[str, Any] = {"setting": setting, "excludes": excludes, "default": None if setting else False}
    return _field(Flag("", options, help, group, action="switch", value=value, **shared))


def toggle(*options: str, group: str, help: str, setting: str) -> Any:
    """Declare a flag that also has a `--no-` form: True, False, or None where neither is given."""
    return _field(Flag("", options, help, group, None, "toggle", setting=setting))


def _field(flag: Flag) -> Any:
    return field(default=flag.default, metadata={_FLAG: flag})


@dataclass(frozen=True, kw_only=True, eq=False)
class Arguments:
    """The flags of every command."""

    json: bool = switch("--json", group=SHOW, help="print one JSON document instead of text")
    quiet: str | None = switch(
        "-q", "--quiet", group=SHOW, setting="progress", value="quiet", excludes="progress",
        help="show results and errors only",
    )  # fmt: skip
    verbose: str | None = switch(
        "-v", "--verbose", group=SHOW, setting="progress", value="verbose", excludes="progress",
        help="show a line for each event, also of workers and waiting steps",
    )  # fmt: skip
    project: str | None = flag(
        "--project", group=HOW, metavar="DIR", kind="folder",
        help="the folder with the settings, environments and cache (the checkout; the current folder if installed)",
    )  # fmt: skip
    debug: bool = switch("--debug", group=SHOW, help="show a traceback with an error")


def flags_of(arguments: type[Arguments]) -> list[Flag]:
    """Return the positional arguments of a command, then its flags by group. Arguments that take several words come
    last: they would leave none for those after them."""
    flags = [_named(declared) for declared in fields(arguments)]
    positional = sorted((flag for flag in flags if not flag.options), key=lambda flag: flag.count in {"*", "+"})
    return [*positional, *sorted((flag for flag in flags if flag.options), key=lambda flag: GROUPS.index(flag.group))]


def _named(declared: Field[Any]) -> Flag:
    flag: Flag = declared.metadata[_FLAG]
    return replace(flag, name=declared.name)
