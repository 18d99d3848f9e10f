"""Key sets by URL: fetched by the worker, judged, kept beside the policy. Never on the path of a request."""
