"""The paper's figures from its own recorded answers, and doubleread's orchestration on the same answers."""
