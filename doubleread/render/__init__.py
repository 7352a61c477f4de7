"""How a verdict looks: one card for terminals, one for pages and notebooks."""
