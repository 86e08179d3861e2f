"""The table of commands and flags: what it names exists, and a command receives what its class says."""

from __future__ import annotations

import inspect
import tomllib
import typing
from dataclasses import FrozenInstanceError
from importlib import import_module

import pytest

from pipeline.base.project import CONFIG
from pipeline.cli.arguments import settings_of
from pipeline.cli.options.commands import COMMANDS, GROUPS, Command, arguments_of
from pipeline.cli.options.declare import flags_of
from pipeline.cli.options.jobs import RunMedia
from pipeline.cli.options.models import ExportModels
from pipeline.cli.parser import parse
from pipeline.plan.registry import PARAMETERS


def name_of(command: Command) -> str:
    return command.name


@pytest.mark.parametrize("command", COMMANDS, ids=name_of)
def test_a_command_names_a_function_that_takes_its_arguments(command: Command) -> None:
    module, _, name = command.function.partition(".")
    function = getattr(import_module(f"pipeline.cli.commands.{module}"), name)
    (parameter,) = inspect.signature(function).parameters
    assert typing.get_type_hints(function)[parameter] is arguments_of(command)


@pytest.mark.parametrize("command", COMMANDS, ids=name_of)
def test_a_flag_sets_a_setting_that_there_is(command: Command) -> None:
    known = {*tomllib.loads((CONFIG / "defaults.toml").read_text(encoding="utf-8"))}
    known |= {f"stages.{stage}.{parameter}" for stage, names in PARAMETERS.items() for parameter in names}
    for flag in flags_of(arguments_of(command)):
        assert not flag.setting or flag.setting in known, flag
        assert not flag.setting or flag.default is None, f"{flag.name} would hide the setting of the project"


def test_every_group_of_commands_is_described_and_names_differ() -> None:
    assert {command.words[0] for command in COMMANDS if len(command.words) > 1} == {*GROUPS}
    assert len({command.name for command in COMMANDS}) == len(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS, ids=name_of)
def test_an_example_parses_as_its_command(command: Command) -> None:
    for example in command.examples:
        found, arguments = parse(example.split()[1:])
        assert found is command
        assert type(arguments) is arguments_of(command)


def test_flags_arrive_typed_and_cannot_be_changed() -> None:
    flags = ["--limit", "3", "--no-film", "--formats", "srt,vtt", "--set", "asr.beam_size=3", "--offline"]
    _, arguments = parse(["run", "a.mkv", "b.mkv", *flags])
    assert isinstance(arguments, RunMedia)
    assert (arguments.media, arguments.limit) == (("a.mkv", "b.mkv"), 3)
    assert (arguments.film, arguments.beside, arguments.formats) == (False, None, ("srt", "vtt"))
    with pytest.raises(FrozenInstanceError):
        arguments.limit = 4  # type: ignore[misc]
    settings, origins = settings_of(arguments)
    assert (settings.film, settings.offline) == (False, True)
    assert settings.stages["subtitle"]["formats"] == ["srt", "vtt"]
    assert settings.stages["asr"]["beam_size"] == 3
    assert origins.of["film"] == "flag film"


@pytest.mark.parametrize("flag", ["--to", "--formats"])
def test_an_empty_list_of_names_is_the_same_as_none(flag: str) -> None:
    with_it, without = (settings_of(parse(["run", "a.mkv", *words])[1])[0] for words in ([flag, ""], []))
    assert with_it == without


def test_an_argument_of_one_word_comes_before_those_of_several() -> None:
    _, arguments = parse(["models", "export", "models.tar", "nllb-600m", "silero-vad"])
    assert isinstance(arguments, ExportModels)
    assert (arguments.file, arguments.names) == ("models.tar", ("nllb-600m", "silero-vad"))
