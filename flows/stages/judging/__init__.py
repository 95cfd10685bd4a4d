"""Which pairs are kept: filters, the VLM judge, and the best of several attempts."""
