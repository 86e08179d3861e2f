"""Translate through a service with OpenAI's chat interface."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from shared.stage import Device
from stages.toolkit.llm.openai_chat import connect
from stages.translate.llm import Translator


def load(models: Mapping[str, Path], device: Device) -> Translator:
    return Translator(connect(models, device))
