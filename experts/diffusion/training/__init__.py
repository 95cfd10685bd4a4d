"""Training the CogVideoX experts: cached examples in, a registered model's folder out."""
