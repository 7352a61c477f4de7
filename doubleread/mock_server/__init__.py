"""A loopback server that speaks the OpenAI protocol: for tests, benchmarks, and users' dry runs. It costs nothing."""

from doubleread.mock_server.mock_app import RateLimits, Running, running
from doubleread.mock_server.mock_reply import Fault, MockReply, Received, read_script

__all__ = ["Fault", "MockReply", "RateLimits", "Received", "Running", "read_script", "running"]
