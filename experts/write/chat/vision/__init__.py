"""Chat models that are shown videos."""
