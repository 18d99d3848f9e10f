"""The bundled example API: a small web shop with deliberate, documented flaws.

It is what `hoplon demo` and the tests stand in front of. README.md beside this file lists every flaw.
Never expose it: it binds to 127.0.0.1 unless told otherwise.
"""

__version__ = "2.3.0"
