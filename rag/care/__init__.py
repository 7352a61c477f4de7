"""Care of an archive: look through it, correct it, keep it, move it, encode it anew."""
