"""Refine through Anthropic's messages interface."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from shared.stage import Device
from stages.refine.llm import Refiner
from stages.toolkit.llm.anthropic_messages import connect


def load(models: Mapping[str, Path], device: Device) -> Refiner:
    return Refiner(connect(models, device))
