"""What follows from what a person wants: one file an action, each a function of what the session knows."""
