"""Pins each stage's `version` to a digest of the sources that decide its results.

    .venvs/test/bin/python -m tests.pin_stage_versions      writes config/stage_versions.json

A run compares the sources with these pins, see `pipeline.plan.stage_sources`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from pipeline.base.project import STAGE_PINS
from pipeline.plan.registry import STAGES
from pipeline.plan.stage_sources import Pin, Pins, byte_digest, code_digest, source_digest, sources
from shared.files import write_atomically

ROOT = Path(__file__).resolve().parent.parent


def current_pins() -> Pins:
    """Return the pins of the sources as they are now."""
    stages: dict[str, Pin] = {}
    files: dict[str, Path] = {}
    for name, stage in sorted(STAGES.items()):
        paths = {path.relative_to(ROOT).as_posix(): path for path in sources(stage, ROOT)}
        stages[name] = Pin(stage.version, source_digest(stage, ROOT), tuple(paths))
        files |= paths
    return Pins(stages, {name: (byte_digest(path), code_digest(path)) for name, path in sorted(files.items())})


def main() -> None:
    """Write the pins, a line for each stage and each file."""
    pins = current_pins()
    stages = {name: (pin.version, pin.digest, pin.sources) for name, pin in pins.stages.items()}
    text = f'{{\n "stages": {_table(stages)},\n "files": {_table(pins.files)}\n}}\n'
    write_atomically(STAGE_PINS, text.encode())


def _table(rows: Mapping[str, object]) -> str:
    lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(row)}" for name, row in rows.items())
    return f"{{\n{lines}\n }}"


if __name__ == "__main__":
    main()
