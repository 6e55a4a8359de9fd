"""A Qwen3-VL with random weights as GGUF files, which llama.cpp serves with pictures: its text is noise, its protocol is real.

`model.gguf` holds two layers of width 64, `mmproj.gguf` the picture encoder; writing both takes 0.3 s.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

__all__ = ["make_tiny_gguf"]

_SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>"]
_WIDTH, _HEADS, _HEAD_WIDTH, _FEED_FORWARD, _LAYERS = 64, 2, 32, 128, 2
_PATCH, _MERGED, _SIDE = 16, 2, 768
_TEMPLATE = (
    "{%- for m in messages -%}{{ '<|im_start|>' + m.role + '\\n' }}"
    "{%- if m.content is string -%}{{ m.content }}"
    "{%- else -%}{%- for part in m.content -%}{%- if part.type == 'text' -%}{{ part.text }}"
    "{%- else -%}{{ '<|vision_start|><|image_pad|><|vision_end|>' }}{%- endif -%}{%- endfor -%}{%- endif -%}"
    "{{ '<|im_end|>\\n' }}{%- endfor -%}{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\\n' }}{%- endif -%}"
)


def make_tiny_gguf(folder: Path, context: int = 32_768) -> tuple[Path, Path]:
    """Write the language model and the picture encoder; returns their paths."""
    pytest.importorskip("gguf", reason="the extra `dev` is not installed")
    pytest.importorskip("xllamacpp", reason="the extra `llm` is not installed")
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    return _language_model(folder / "model.gguf", context, random), _picture_encoder(folder / "mmproj.gguf", random)


def _vocabulary() -> tuple[list[str], list[str]]:
    """Tokens of a byte-level BPE, the special ones last; and its merges."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    bytewise = Tokenizer(models.BPE())
    bytewise.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=400, initial_alphabet=alphabet, show_progress=False)
    bytewise.train_from_iterator(['{"answer": "a man", "ids": ["E1"], "found": true} frame of a video'], trainer)
    merges = json.loads(bytewise.to_str())["model"]["merges"]
    tokens = bytewise.get_vocab()
    return [*sorted(tokens, key=tokens.__getitem__), *_SPECIAL], [
        " ".join(one) if isinstance(one, list) else one for one in merges
    ]


def _noise(random: np.random.Generator, *shape: int, scale: float | None = None) -> np.ndarray:
    return (random.standard_normal(shape) * (scale or shape[-1] ** -0.5)).astype(np.float32)


def _language_model(path: Path, context: int, random: np.random.Generator) -> Path:
    from gguf import GGUFWriter, TokenType

    tokens, merges = _vocabulary()
    first = len(tokens) - len(_SPECIAL)
    out = GGUFWriter(path, "qwen3vl")
    out.add_name("tiny-qwen3vl-random")
    out.add_context_length(context)
    out.add_embedding_length(_WIDTH)
    out.add_block_count(_LAYERS)
    out.add_feed_forward_length(_FEED_FORWARD)
    out.add_head_count(_HEADS)
    out.add_head_count_kv(_HEADS)
    out.add_key_length(_HEAD_WIDTH)
    out.add_value_length(_HEAD_WIDTH)
    out.add_layer_norm_rms_eps(1e-6)
    out.add_rope_freq_base(5e6)
    out.add_rope_dimension_sections([6, 5, 5, 0])
    out.add_num_deepstack_layers(1)
    out.add_file_type(0)
    out.add_tokenizer_model("gpt2")
    out.add_tokenizer_pre("qwen2")
    out.add_token_list(tokens)
    out.add_token_types([TokenType.NORMAL] * first + [TokenType.CONTROL] * len(_SPECIAL))
    out.add_token_merges(merges)
    out.add_eos_token_id(tokens.index("<|im_end|>"))
    out.add_pad_token_id(tokens.index("<|endoftext|>"))
    out.add_add_bos_token(False)
    out.add_chat_template(_TEMPLATE)
    out.add_tensor("token_embd.weight", _noise(random, len(tokens), _WIDTH, scale=1.0))
    out.add_tensor("output_norm.weight", np.ones(_WIDTH, np.float32))
    out.add_tensor("output.weight", _noise(random, len(tokens), _WIDTH, scale=0.3))
    shapes = {
        "attn_q": (_HEADS * _HEAD_WIDTH, _WIDTH),
        "attn_k": (_HEADS * _HEAD_WIDTH, _WIDTH),
        "attn_v": (_HEADS * _HEAD_WIDTH, _WIDTH),
        "attn_output": (_WIDTH, _HEADS * _HEAD_WIDTH),
        "ffn_gate": (_FEED_FORWARD, _WIDTH),
        "ffn_up": (_FEED_FORWARD, _WIDTH),
        "ffn_down": (_WIDTH, _FEED_FORWARD),
    }
    norms = {"attn_norm": _WIDTH, "ffn_norm": _WIDTH, "attn_q_norm": _HEAD_WIDTH, "attn_k_norm": _HEAD_WIDTH}
    for layer in range(_LAYERS):
        for name, shape in shapes.items():
            out.add_tensor(f"blk.{layer}.{name}.weight", _noise(random, *shape))
        for name, size in norms.items():
            out.add_tensor(f"blk.{layer}.{name}.weight", np.ones(size, np.float32))
    return _written(out, path)


def _picture_encoder(path: Path, random: np.random.Generator) -> Path:
    from gguf import GGUFWriter

    out = GGUFWriter(path, "clip")
    out.add_type("mmproj")
    out.add_file_type(0)
    out.add_clip_has_vision_encoder(True)
    out.add_clip_projector_type("qwen3vl_merger")
    out.add_vision_use_gelu(True)
    out.add_vision_image_size(_SIDE)
    out.add_vision_patch_size(_PATCH)
    out.add_vision_spatial_merge_size(_MERGED)
    out.add_vision_embedding_length(_WIDTH)
    out.add_vision_feed_forward_length(_FEED_FORWARD)
    out.add_vision_block_count(_LAYERS)
    out.add_vision_head_count(_HEADS)
    out.add_vision_projection_dim(_WIDTH)
    out.add_vision_attention_layernorm_eps(1e-6)
    out.add_vision_image_mean([0.5] * 3)
    out.add_vision_image_std([0.5] * 3)
    deepstack = [True, False]
    out.add_vision_is_deepstack_layers(deepstack)

    def add(name: str, shape: Sequence[int]) -> None:
        norm = len(shape) == 1
        out.add_tensor(f"{name}.weight", np.ones(shape, np.float32) if norm else _noise(random, *shape))
        out.add_tensor(f"{name}.bias", np.zeros(shape[0], np.float32))

    for part in ("weight", "weight.1"):  # the two frames of a temporal patch
        out.add_tensor(f"v.patch_embd.{part}", _noise(random, _WIDTH, 3, _PATCH, _PATCH, scale=0.02))
    out.add_tensor("v.patch_embd.bias", np.zeros(_WIDTH, np.float32))
    out.add_tensor("v.position_embd.weight", _noise(random, (_SIDE // _PATCH) ** 2, _WIDTH, scale=0.02))
    merged = _WIDTH * _MERGED**2
    for layer in range(_LAYERS):
        add(f"v.blk.{layer}.attn_qkv", (3 * _WIDTH, _WIDTH))
        add(f"v.blk.{layer}.attn_out", (_WIDTH, _WIDTH))
        add(f"v.blk.{layer}.ffn_up", (_FEED_FORWARD, _WIDTH))
        add(f"v.blk.{layer}.ffn_down", (_WIDTH, _FEED_FORWARD))
        add(f"v.blk.{layer}.ln1", (_WIDTH,))
        add(f"v.blk.{layer}.ln2", (_WIDTH,))
        if deepstack[layer]:
            add(f"v.deepstack.{layer}.norm", (merged,))
            add(f"v.deepstack.{layer}.fc1", (merged, merged))
            add(f"v.deepstack.{layer}.fc2", (_WIDTH, merged))
    add("v.post_ln", (_WIDTH,))
    add("mm.0", (merged, merged))
    add("mm.2", (_WIDTH, merged))
    return _written(out, path)


def _written(out: object, path: Path) -> Path:
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()
    return path
