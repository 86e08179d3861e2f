"""Every command reports a refusal of the system in one sentence with a way out. Any other exception is a bug."""

from __future__ import annotations

import errno
import json
import os
from unittest import mock

import pytest

from pipeline.cli.main import main

COMMAND = "pipeline.cli.commands.config.show"


def _refused(code: int) -> OSError:
    return OSError(code, os.strerror(code), "/there/.file.part", None, "/there/file")


@pytest.mark.parametrize("code", [errno.EACCES, errno.EROFS, errno.ENOSPC, errno.EIO, errno.EMFILE, errno.ENAMETOOLONG])
def test_a_refusal_names_the_file_and_a_way_out(code: int, capsys: pytest.CaptureFixture[str]) -> None:
    with mock.patch(COMMAND, side_effect=_refused(code)):
        assert main(["config", "show"]) == 1
    told = capsys.readouterr().err
    assert f"/there/file: {os.strerror(code)} [system.refused]" in told
    assert "hint: " in told
    assert "Traceback" not in told
    with mock.patch(COMMAND, side_effect=_refused(code)):
        main(["config", "show", "--json", "--debug"])
    ended = capsys.readouterr()
    assert json.loads(ended.out)["errors"][0]["code"] == "system.refused"
    assert "Traceback" in ended.err


@pytest.mark.parametrize("error", [FileNotFoundError(errno.ENOENT, "gone", "x"), OSError("no number"), ValueError("x")])
def test_everything_else_is_a_bug_of_reel(error: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    with mock.patch(COMMAND, side_effect=error):
        assert main(["config", "show"]) == 70
    assert "Traceback" in capsys.readouterr().err
