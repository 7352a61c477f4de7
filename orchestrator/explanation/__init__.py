"""Why a verdict is what it is: influence of agents, and what would change it."""
