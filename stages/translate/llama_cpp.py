"""Translate through a model on this machine, by llama.cpp."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from shared.stage import Device
from stages.toolkit.llm.llama_cpp import connect
from stages.translate.llm import Translator


def load(models: Mapping[str, Path], device: Device) -> Translator:
    return Translator(connect(models, device), at_once=1)
