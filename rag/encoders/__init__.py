"""Encoders map images, and some also texts, to unit-length vectors. Each is loaded only when chosen."""

from doubleread.rag.encoders._encoder_choice import EncoderChoice, build, choose, probe_device, within_reach
from doubleread.rag.encoders.encoder_registry import ENCODERS

__all__ = ["ENCODERS", "EncoderChoice", "build", "choose", "probe_device", "within_reach"]
