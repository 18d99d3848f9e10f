"""The control plane over HTTP: Cloudflare's resources below `/client/v4`, Hoplon's own below `/hoplon/v1`.

`routes` is the ordered list of everything that can be asked for; one file per resource; `app` takes a request to its
handler. Cloudflare's names and quirks stay in here.
"""
