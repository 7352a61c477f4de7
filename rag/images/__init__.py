"""Pictures: opened safely, cut into views, and described by simple statistics."""
