"""Makes two tiny vision-language models that answer in the form that doubleread asks for.

    python tiny_vlm.py FOLDER PHOTOS

``FOLDER/random`` and ``FOLDER/trained`` each hold a Qwen2-VL of about 200,000 parameters with a tokenizer made on the
spot. Each of their answers is two tokens, a JSON reading and its closing brace, so that an answer takes a moment. The
weights of the first are random: its answers are worth nothing. The second is trained for some seconds on PHOTOS, a
folder with one sub-folder for each label. They are too small to read: the template shows them the pictures only.

This runs in the environment of the servers, without a model hub.
"""

import json
import random
import sys
from pathlib import Path

import torch
from PIL import Image
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    PreTrainedTokenizerFast,
    Qwen2VLConfig,
    Qwen2VLForConditionalGeneration,
    Qwen2VLImageProcessor,
    Qwen2VLProcessor,
    Qwen2VLVideoProcessor,
)

PAD, START, END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
BEGIN_IMAGE, END_IMAGE, IMAGE, VIDEO = "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"
SPECIAL = [PAD, START, END, BEGIN_IMAGE, END_IMAGE, IMAGE, VIDEO]
TEMPLATE = f"""\
{{%- for message in messages if message['content'] is not string -%}}
{{%- for part in message['content'] if 'text' not in part %}}{BEGIN_IMAGE}{IMAGE}{END_IMAGE}{{% endfor -%}}
{{%- endfor -%}}
{START}"""
LENGTH = 16_384
BRACE = "}"
READINGS = 48
SEED = 1
STEPS = 30


def main(folder: Path, photos: Path) -> None:
    """Writes both models, each with its processor."""
    torch.manual_seed(SEED)
    labels = sorted(one.name for one in photos.iterdir())
    answers = _readings(labels)
    tokenizer = _tokenizer()
    tokenizer.add_tokens([AddedToken(text, normalized=False, special=False) for text in (*answers, BRACE)])
    pictures = Qwen2VLImageProcessor(min_pixels=56 * 56, max_pixels=112 * 112)
    processor = Qwen2VLProcessor(pictures, tokenizer, Qwen2VLVideoProcessor(), chat_template=TEMPLATE)
    model = Qwen2VLForConditionalGeneration(_config(tokenizer)).eval()
    free = _answer_only(model, tokenizer, answers)
    _save(folder / "random", model, processor)
    _train(model, processor, [(path, _surest(answers, path.parent.name)) for path in sorted(photos.glob("*/*"))])
    _keep_free(model, free)
    _save(folder / "trained", model, processor)


def _save(folder: Path, model: Qwen2VLForConditionalGeneration, processor: Qwen2VLProcessor) -> None:
    model.save_pretrained(folder)
    processor.save_pretrained(folder)


def _tokenizer() -> PreTrainedTokenizerFast:
    """A byte-level tokenizer, which can spell everything and knows no words."""
    bytes_only = Tokenizer(models.BPE())
    bytes_only.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bytes_only.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=512, special_tokens=SPECIAL, initial_alphabet=alphabet)
    bytes_only.train_from_iterator(["any text"], trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=bytes_only,
        eos_token=END,
        pad_token=PAD,
        additional_special_tokens=SPECIAL[1:],
        chat_template=TEMPLATE,
        model_max_length=LENGTH,
    )


def _readings(labels: list[str]) -> list[str]:
    """Answers in the form that is asked for, with random numbers, up to the closing brace."""
    chance = random.Random(SEED)
    found = []
    for i in range(READINGS):
        weights = [chance.gammavariate(0.6, 1) for _ in labels]
        shares = {label: round(w / sum(weights), 3) for label, w in zip(labels, weights, strict=True)}
        likeliest = max(shares, key=lambda label: shares[label])
        reading = {"findings": f"garbage {i}", "probabilities": shares, "label": likeliest}
        found.append(json.dumps(reading).removesuffix(BRACE))
    return found


def _config(tokenizer: PreTrainedTokenizerFast) -> Qwen2VLConfig:
    ids = dict(zip(SPECIAL, tokenizer.convert_tokens_to_ids(SPECIAL), strict=True))
    text = {
        "vocab_size": len(tokenizer),
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": LENGTH,
        "rope_scaling": {"type": "mrope", "mrope_section": [2, 3, 3]},
        "bos_token_id": ids[PAD],
        "eos_token_id": ids[END],
        "pad_token_id": ids[PAD],
        "tie_word_embeddings": False,
    }
    vision = {"depth": 2, "embed_dim": 32, "hidden_size": 64, "num_heads": 2, "mlp_ratio": 2}
    return Qwen2VLConfig(
        text_config=text,
        vision_config=vision,
        image_token_id=ids[IMAGE],
        video_token_id=ids[VIDEO],
        vision_start_token_id=ids[BEGIN_IMAGE],
        vision_end_token_id=ids[END_IMAGE],
    )


@torch.no_grad()
def _answer_only(
    model: Qwen2VLForConditionalGeneration, tokenizer: PreTrainedTokenizerFast, answers: list[str]
) -> torch.Tensor:
    """Sets the weights so that every output is one of ``answers``, then the brace, then the end.

    Two directions of the hidden space are kept free, and returned: no layer writes to them. The embedding of an answer
    points along the first, from which only the brace is read, and that of the brace along the second, from which only
    the end is read.
    """
    for name, weights in model.named_parameters():
        if weights.dim() >= 2:
            weights.normal_(std=1.0 if "embed" in name else 0.35)
    end = tokenizer.convert_tokens_to_ids(END)
    model.generation_config.eos_token_id = end
    model.generation_config.pad_token_id = tokenizer.convert_tokens_to_ids(PAD)
    before, after = model.get_input_embeddings().weight, model.get_output_embeddings().weight
    free = torch.linalg.qr(torch.randn(before.shape[1], 2)).Q
    _keep_free(model, free)
    before -= before @ free @ free.T
    rows, brace = tokenizer.convert_tokens_to_ids(answers), tokenizer.convert_tokens_to_ids(BRACE)
    before[rows], before[brace] = 4000 * free[:, 0], 4000 * free[:, 1]
    after.zero_()
    choices = torch.randn(len(answers), after.shape[1])
    after[rows] = choices - choices @ free @ free.T
    after[brace], after[end] = 50 * free[:, 0], 50 * free[:, 1]
    return free


@torch.no_grad()
def _keep_free(model: Qwen2VLForConditionalGeneration, free: torch.Tensor) -> None:
    """Takes the directions out of whatever the layers write."""
    for name, weights in model.named_parameters():
        if name.endswith(("o_proj.weight", "down_proj.weight", "merger.mlp.2.weight", "merger.mlp.2.bias")):
            weights.sub_(free @ (free.T @ weights))


def _surest(answers: list[str], label: str) -> str:
    """The answer that is surest of a label."""
    return max(answers, key=lambda text: float(json.loads(text + BRACE)["probabilities"][label]))


def _train(model: Qwen2VLForConditionalGeneration, processor: Qwen2VLProcessor, wanted: list[tuple[Path, str]]) -> None:
    """Trains all layers but the first and the last, from small weights, to give the wanted answer for each picture."""
    torch.set_flush_denormal(True)  # tiny gradients are slow otherwise
    prompt = processor.apply_chat_template([{"role": "user", "content": [{"type": "image"}]}])
    images = [Image.open(path).convert("RGB") for path, _ in wanted]
    inputs = processor(text=[prompt] * len(images), images=images, return_tensors="pt")
    targets = torch.tensor(processor.tokenizer.convert_tokens_to_ids([answer for _, answer in wanted]))
    model.get_input_embeddings().requires_grad_(False)
    model.get_output_embeddings().requires_grad_(False)
    for weights in model.parameters():
        if weights.requires_grad and weights.dim() >= 2:
            torch.nn.init.normal_(weights, std=0.1)
    optimizer = torch.optim.AdamW([one for one in model.parameters() if one.requires_grad], lr=3e-3)
    for _ in range(STEPS):
        loss = torch.nn.functional.cross_entropy(model(**inputs).logits[:, -1], targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if not loss < 0.1:
        raise RuntimeError(f"the model has not learned its photos: loss {loss:.3f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
