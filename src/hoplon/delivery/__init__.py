"""The gateway's end of bundle delivery: follows a control plane and puts what it offers into the local state directory.

It runs as a thread beside the gateway's Rust (docs/decisions/0009), so it imports the standard library and `storage`
only. The other end is `hoplon.service.delivery`.
"""
