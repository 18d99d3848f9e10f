"""What holds for every test: property tests are seeded in `make test` and wide in `make eval`, and signals reach the
processes that tests start, however the test run itself was started."""

import os
import signal

from hypothesis import settings

settings.register_profile("seeded", derandomize=True, deadline=None)
settings.register_profile("eval", max_examples=10_000, deadline=None)
settings.load_profile("eval" if os.environ.get("HOPLON_EVAL") else "seeded")

# A shell without job control starts what it puts in the background with SIGINT ignored, and children inherit that: then
# no test could end with it what it started. A handler of our own is set back to the default in every child.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
