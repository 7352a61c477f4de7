"""Agents that ask a vision–language model over the OpenAI protocol."""
