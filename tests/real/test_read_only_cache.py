"""The main job runs from a cache that nobody can write to. That each backend does is in `test_conformance.py`."""

from __future__ import annotations

from pipeline.engine.project import Project
from tests.conftest import Reel
from tests.real.cases import Material
from tests.real.witness import Mount


def test_the_main_job_runs_from_a_cache_that_can_only_be_read(
    read_only: Mount, real_project: Project, material: Material, reel: Reel
) -> None:
    assert material.subtitles
    real_project.installed.environments.ensure("bergamot", lambda event: None)
    cache = read_only(real_project.folders.cache)
    own = {"REEL_CACHE_DIR": str(cache), "REEL_PROFILE": "starter", "REEL_OFFLINE": "true"}
    reel("run", material.media, "--to", "pt", extra=own)
    assert list(reel.out.rglob("*.pt.srt"))
    assert "verified" in reel("models", "verify", "--profile", "starter", extra=own).stdout
