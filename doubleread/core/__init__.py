"""The vocabulary: what every other part speaks, and the ports where they meet.

Nothing here imports another part of doubleread, and nothing here is heavy.
"""
