"""CogVideoX as an editor: control branch, conditioning, sampling, training."""
