"""A file per resource. A route is typed inputs, one use case, and its answer."""
