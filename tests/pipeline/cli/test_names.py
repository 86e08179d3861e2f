"""Every name that a flag takes is listed by a command."""

from __future__ import annotations

import json

import pytest

from pipeline.cli.known_names import names_of_kind
from pipeline.cli.main import main
from pipeline.plan.registry import STAGES


@pytest.mark.parametrize(
    ("command", "kind"),
    [("stages list", "stage"), ("recipes", "recipe"), ("profiles", "profile"), ("guides", "guide")],
)
def test_each_name_is_listed_with_what_it_is_for(command: str, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*command.split(), "--json"]) == 0
    (rows,) = json.loads(capsys.readouterr().out)["data"].values()
    assert sorted(row["name"] for row in rows) == sorted(set(names_of_kind(kind)) - {"auto"})
    assert all(row["summary"] for row in rows)
    assert main(command.split()) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(rows) + 1


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_shows_all_that_it_takes(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["stages", "show", name]) == 0
    told, stage = capsys.readouterr().out, STAGES[name]
    for known in (stage.inputs.model_fields, stage.outputs.model_fields, stage.params.model_fields, stage.backends):
        assert all(one in told for one in known)


def test_the_help_of_a_stage_is_about_this_stage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["stage", "asr", "--help"]) == 0
    assert "beam_size" in capsys.readouterr().out
    assert main(["stage", "--help"]) == 0
    assert "--backend" in capsys.readouterr().out


def test_a_stage_that_there_is_not_is_answered_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["stages", "show", "arse"]) == 2
    assert "there is no stage `arse`" in capsys.readouterr().err
