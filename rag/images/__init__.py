"""Images: safe opening, named views, and simple statistics."""
