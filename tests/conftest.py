"""What holds for every test: signals reach the processes that tests start, however the test run itself was started."""

import signal

# A shell without job control starts what it puts in the background with SIGINT ignored, and children inherit that: then
# no test could end with it what it started. A handler of our own is set back to the default in every child.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
