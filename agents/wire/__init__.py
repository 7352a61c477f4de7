"""Everything between an agent's question and a server's answer. Only ``client`` imports openai."""
