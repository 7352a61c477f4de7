"""Agents: each reads a case and gives an opinion, or abstains and says why."""
