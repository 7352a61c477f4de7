"""What a run comes to: figures with intervals, two runs compared, gates, and tables for other tools."""
