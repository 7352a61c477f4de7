"""Shared data types, and the ports (interfaces) between the parts. Imports no other part, and nothing heavy."""
