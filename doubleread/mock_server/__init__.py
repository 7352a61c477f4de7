"""A local server with the OpenAI protocol for tests, benchmarks and users' dry runs, without cost."""

from doubleread.mock_server.mock_app import Running, running
from doubleread.mock_server.mock_limits import RateLimits
from doubleread.mock_server.mock_reply import Fault, MockReply, RawReply, Received, read_script

__all__ = ["Fault", "MockReply", "RateLimits", "RawReply", "Received", "Running", "read_script", "running"]
