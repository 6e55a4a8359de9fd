"""Models of full size with random weights, saved as their authors save them: their speed and memory are true, their words are not.

The sizes are those of the published configurations of Qwen3-VL-8B-Instruct and SigLIP 2. The tokenizer of Qwen is read
from Qwen2.5-Coder's GGUF file (the same vocabulary), so that a request has as many tokens as it would have.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from report import Skipped

from playhead.tools.settings import Settings

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

__all__ = ["SIGLIP_SIZES", "make_detector", "make_qwen3_vl", "make_siglip", "qwen_tokenizer"]

# How Qwen2's tokenizer splits a text before it joins bytes.
_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n"
    "{% if message.content is string %}{{ message.content }}{% else %}{% for part in message.content %}"
    "{% if part.type in ('image', 'image_url') %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% else %}{{ part.text }}{% endif %}"
    "{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
_VOCABULARY = 151_936
_QWEN_SIZES: dict[str, dict[str, Any]] = {
    "8b": {
        "text": {"hidden_size": 4096, "intermediate_size": 12_288, "num_hidden_layers": 36, "num_attention_heads": 32},
        "heads": (8, 128, [24, 20, 20]),
        "vision": {"depth": 27, "hidden_size": 1152, "intermediate_size": 4304, "num_heads": 16, "out_hidden_size": 4096},
        "deepstack": [8, 16, 24],
    },
    "tiny": {
        "text": {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4},
        "heads": (2, 16, [4, 2, 2]),
        "vision": {"depth": 2, "hidden_size": 64, "intermediate_size": 128, "num_heads": 4, "out_hidden_size": 64},
        "deepstack": [0],
    },
}  # fmt: skip
# Side of the picture, of a patch, width, layers and heads of both towers, and the inner width of a layer.
SIGLIP_SIZES = {
    "siglip2-base-patch16-224": (224, 16, 768, 12, 12, 3072),
    "siglip2-so400m-patch14-384": (384, 14, 1152, 27, 16, 4304),
    "tiny": (32, 16, 32, 2, 2, 64),
}


def qwen_tokenizer() -> "PreTrainedTokenizerFast":
    """Qwen's tokenizer: from `PLAYHEAD_BENCH_TOKENIZER` (a `tokenizer.json`), else from the GGUF file of `llm-weights`.

    Raises:
        Skipped: Neither is here.
    """
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    given = os.environ.get("PLAYHEAD_BENCH_TOKENIZER")
    if given:
        bytewise = Tokenizer.from_file(given)
    else:
        tokens, merges, special = _vocabulary()
        bytewise = Tokenizer(models.BPE(vocab={token: n for n, token in enumerate(tokens)}, merges=merges))
        bytewise.pre_tokenizer = pre_tokenizers.Sequence([
            pre_tokenizers.Split(Regex(_SPLIT), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ])  # fmt: skip
        bytewise.decoder = decoders.ByteLevel()
        bytewise.add_special_tokens(special)
    return PreTrainedTokenizerFast(tokenizer_object=bytewise, eos_token="<|im_end|>", pad_token="<|endoftext|>")


def make_qwen3_vl(folder: Path, size: str, device: str) -> int:
    """Save a Qwen3-VL in bfloat16 that never ends an answer by itself; returns its number of weights."""
    import torch
    from transformers import (
        Qwen2VLImageProcessor,
        Qwen3VLConfig,
        Qwen3VLForConditionalGeneration,
        Qwen3VLProcessor,
        Qwen3VLVideoProcessor,
    )

    tokenizer, sizes = qwen_tokenizer(), _QWEN_SIZES[size]
    number = tokenizer.get_vocab()
    key_heads, side, sections = sizes["heads"]
    config = Qwen3VLConfig(
        text_config={
            **sizes["text"],
            "vocab_size": _VOCABULARY,
            "num_key_value_heads": key_heads,
            "head_dim": side,
            "max_position_embeddings": 262_144,
            "rope_parameters": {
                "rope_type": "default",
                "mrope_section": sections,
                "mrope_interleaved": True,
                "rope_theta": 5_000_000.0,
            },
        },
        vision_config={
            **sizes["vision"],
            "deepstack_visual_indexes": sizes["deepstack"],
            "num_position_embeddings": 2304,
        },
        image_token_id=number["<|image_pad|>"],
        video_token_id=number["<|video_pad|>"],
        vision_start_token_id=number["<|vision_start|>"],
        vision_end_token_id=number["<|vision_end|>"],
    )
    torch.manual_seed(0)
    usual = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    try:
        with torch.device(device):
            model = Qwen3VLForConditionalGeneration(config)
    finally:
        torch.set_default_dtype(usual)
    ends = [number["<|im_end|>"], number["<|endoftext|>"]]
    model.generation_config.eos_token_id = ends
    model.generation_config.suppress_tokens = ends
    model.save_pretrained(folder, max_shard_size="5GB")
    Qwen3VLProcessor(
        image_processor=Qwen2VLImageProcessor(patch_size=16, merge_size=2, min_pixels=65_536, max_pixels=16_777_216),
        tokenizer=tokenizer,
        video_processor=Qwen3VLVideoProcessor(),
        chat_template=_CHAT_TEMPLATE,
    ).save_pretrained(folder)
    return sum(parameter.numel() for parameter in model.parameters())


def make_siglip(folder: Path, name: str) -> None:
    """Save a SigLIP 2 of fixed resolution, with a tokenizer of single bytes."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    from transformers import (
        PreTrainedTokenizerFast,
        SiglipConfig,
        SiglipImageProcessor,
        SiglipModel,
        SiglipProcessor,
    )

    side, patch, width, layers, heads, inner = SIGLIP_SIZES[name]
    tower = {
        "hidden_size": width,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "intermediate_size": inner,
    }
    bytewise = Tokenizer(models.BPE(unk_token="<unk>"))
    bytewise.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bytewise.train_from_iterator(
        ["a picture"],
        trainers.BpeTrainer(
            special_tokens=["<pad>", "<unk>"],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    torch.manual_seed(0)
    config = SiglipConfig(
        text_config={**tower, "vocab_size": 1000 if name == "tiny" else 256_000, "projection_size": width},
        vision_config={**tower, "image_size": side, "patch_size": patch},
    )
    SiglipModel(config).save_pretrained(folder)
    SiglipProcessor(
        image_processor=SiglipImageProcessor(size={"height": side, "width": side}),
        tokenizer=PreTrainedTokenizerFast(tokenizer_object=bytewise, pad_token="<pad>", unk_token="<unk>"),
    ).save_pretrained(folder)


def make_detector(file: Path) -> None:
    """Save an Ultralytics detector of the configuration that the file is named after, e.g. `yolo11n.pt`."""
    import torch

    from playhead.tools.extractors import objects

    torch.manual_seed(0)
    objects._ultralytics().YOLO(f"{file.stem}.yaml", verbose=False).save(str(file))


def _vocabulary() -> tuple[list[str], list[tuple[str, str]], list[str]]:
    """Tokens, merges and control tokens of Qwen2.5-Coder's GGUF file."""
    from playhead.tools.errors import PlayheadError
    from playhead.tools.llm.llama_cpp.runtime import find_gguf

    try:
        from gguf import GGUFReader

        found = find_gguf(Settings(video_llm_backend="llama.cpp", video_llm_model="qwen2.5-coder-1.5b"), offline=True)
    except (PlayheadError, ModuleNotFoundError) as error:
        raise Skipped(f"no tokenizer: {error}; or set PLAYHEAD_BENCH_TOKENIZER to Qwen's tokenizer.json") from error
    fields = GGUFReader(found.file).fields
    tokens = fields["tokenizer.ggml.tokens"].contents()
    kinds = fields["tokenizer.ggml.token_type"].contents()
    merges = [tuple(one.split(" ", 1)) for one in fields["tokenizer.ggml.merges"].contents()]
    special = [token for token, kind in zip(tokens, kinds, strict=True) if kind in (3, 4)]  # control, user-defined
    return tokens, merges, special
