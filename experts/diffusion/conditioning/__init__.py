"""Conditions as the model takes them: latents, control videos, text embeddings."""
