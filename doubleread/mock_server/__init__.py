"""A loopback server that speaks the OpenAI protocol: for tests, benchmarks, and users' dry runs. It costs nothing."""

from doubleread.mock_server.mock_app import Limits, Running, running
from doubleread.mock_server.mock_reply import Fault, Received, Reply, read_script

__all__ = ["Fault", "Limits", "Received", "Reply", "Running", "read_script", "running"]
