"""`hoplon demo`: the whole loop on the bundled shop, with real processes and real connections, in about a minute.

`story` tells it; `visitors` are the people, `crowd` lets them loose, `processes` starts and stops, `screen` draws.
"""
