"""Condense through Anthropic's messages interface."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from shared.stage import Device
from stages.condense.llm import Condenser
from stages.toolkit.llm.anthropic_messages import connect


def load(models: Mapping[str, Path], device: Device) -> Condenser:
    return Condenser(connect(models, device))
