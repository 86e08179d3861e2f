"""Refine through a model on this machine, by llama.cpp."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from shared.stage import Device
from stages.refine.llm import Refiner
from stages.toolkit.llm.llama_cpp import connect


def load(models: Mapping[str, Path], device: Device) -> Refiner:
    return Refiner(connect(models, device), at_once=1)
