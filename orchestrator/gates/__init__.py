"""Decides whether asking further is worth its price."""
