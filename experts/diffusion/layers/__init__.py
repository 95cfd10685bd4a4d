"""Layers of the network: blocks, control branch, LoRA, positional embeddings."""
