"""Hoplon measured beside nginx, HAProxy and Envoy, in one run (`make bench`).

The load generator and the upstream share core 0, the proxy has core 1 alone; candidates take turns, round after
round, so that what else the machine does hits all of them alike. Published are medians and ratios.
"""
