"""Condense through a model on this machine, by llama.cpp."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from shared.stage import Device
from stages.condense.llm import Condenser
from stages.toolkit.llm.llama_cpp import connect


def load(models: Mapping[str, Path], device: Device) -> Condenser:
    return Condenser(connect(models, device), at_once=1)
