"""Whether asking further is worth its price."""
