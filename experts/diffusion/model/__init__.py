"""The CogVideoX transformer as an editor: construction, freezing, checkpoints."""
