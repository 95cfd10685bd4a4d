"""Where a build's tasks run: on threads of this process, or on the workers of a Ray cluster."""
