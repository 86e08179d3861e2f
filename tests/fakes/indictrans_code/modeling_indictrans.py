"""A tiny stand-in for IndicTrans2's model. Like the original it has no `generate` of its own, and keeps what it has
read as plain tuples: so it finds out whether the environment's transformers still gives and takes those.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput, Seq2SeqLMOutput

from .configuration_indictrans import IndicTransConfig

Cache = tuple[Tensor, Tensor, Tensor, Tensor]


class Attention(nn.Module):
    """Scaled dot products over heads."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(4))

    def split(self, states: Tensor) -> Tensor:
        batch, length, width = states.shape
        return states.view(batch, length, self.heads, width // self.heads).transpose(1, 2)

    def forward(self, states: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None) -> Tensor:
        weights = self.split(self.query(states)) @ keys.transpose(2, 3) / keys.shape[-1] ** 0.5
        weights = weights if mask is None else weights + mask
        mixed = (weights.softmax(-1) @ values).transpose(1, 2)
        return self.out(mixed.reshape(states.shape))


class Encoder(nn.Module):
    """One layer, without an order of the tokens but the sum of those before."""

    main_input_name = "input_ids"

    def __init__(self, config: IndicTransConfig) -> None:
        super().__init__()
        self.embed = nn.Embedding(config.encoder_vocab_size, config.width)
        self.attention = Attention(config.width, config.heads)

    def forward(self, input_ids: Tensor, attention_mask: Tensor, **_: Any) -> BaseModelOutput:
        states = self.embed(input_ids) * attention_mask[:, :, None]
        states = states + states.cumsum(1) / 4
        keys, values = (self.attention.split(part(states)) for part in (self.attention.key, self.attention.value))
        mask = hidden(attention_mask, states.dtype)
        return BaseModelOutput(last_hidden_state=states + self.attention(states, keys, values, mask))


class IndicTransForConditionalGeneration(PreTrainedModel):
    """Encoder, decoder and head."""

    config_class = IndicTransConfig
    base_model_prefix = "model"
    main_input_name = "input_ids"

    def __init__(self, config: IndicTransConfig) -> None:
        super().__init__(config)
        self.encoder = Encoder(config)
        self.embed = nn.Embedding(config.decoder_vocab_size, config.width)
        self.own, self.cross = Attention(config.width, config.heads), Attention(config.width, config.heads)
        self.lm_head = nn.Linear(config.width, config.decoder_vocab_size, bias=False)
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        for parameter in module.parameters(recurse=False):
            parameter.data.normal_(0.0, 0.5)

    def get_encoder(self) -> Encoder:
        return self.encoder

    def get_decoder(self) -> nn.Module:
        return self.own

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        decoder_input_ids: Tensor | None = None,
        encoder_outputs: BaseModelOutput | None = None,
        past_key_values: tuple[Cache, ...] | None = None,
        **_: Any,
    ) -> Seq2SeqLMOutput:
        encoder_outputs = encoder_outputs or self.encoder(input_ids, attention_mask)
        read = encoder_outputs[0]
        before = past_key_values[0][0].shape[2] if past_key_values is not None else 0
        states = self.embed(decoder_input_ids)
        states = states + torch.arange(before, before + states.shape[1]).to(states)[None, :, None] / 8
        keys, values = self.own.split(self.own.key(states)), self.own.split(self.own.value(states))
        if past_key_values is not None:
            keys = torch.cat([past_key_values[0][0], keys], dim=2)
            values = torch.cat([past_key_values[0][1], values], dim=2)
            cross_keys, cross_values = past_key_values[0][2:]
        else:
            cross_keys, cross_values = (self.cross.split(part(read)) for part in (self.cross.key, self.cross.value))
        states = states + self.own(states, keys, values, None)
        mask = None if attention_mask is None else hidden(attention_mask, states.dtype)
        states = states + self.cross(states, cross_keys, cross_values, mask)
        cache: Cache = (keys, values, cross_keys, cross_values)
        return Seq2SeqLMOutput(
            logits=self.lm_head(states), past_key_values=(cache,), encoder_last_hidden_state=read
        )  # fmt: skip

    def prepare_inputs_for_generation(
        self, decoder_input_ids: Tensor, past_key_values: tuple[Cache, ...] | None = None,
        attention_mask: Tensor | None = None, encoder_outputs: BaseModelOutput | None = None, **_: Any,
    ) -> dict[str, Any]:  # fmt: skip
        return {
            "decoder_input_ids": decoder_input_ids if past_key_values is None else decoder_input_ids[:, -1:],
            "past_key_values": past_key_values,
            "attention_mask": attention_mask,
            "encoder_outputs": encoder_outputs,
        }

    @staticmethod
    def _reorder_cache(past_key_values: tuple[Cache, ...], beam_idx: Tensor) -> tuple[tuple[Tensor, ...], ...]:
        return tuple(tuple(one.index_select(0, beam_idx) for one in layer) for layer in past_key_values)


def hidden(attention_mask: Tensor, dtype: torch.dtype) -> Tensor:
    """Return a mask to be added to weights, which hides padding."""
    return (1.0 - attention_mask[:, None, None, :].to(dtype)) * torch.finfo(dtype).min
