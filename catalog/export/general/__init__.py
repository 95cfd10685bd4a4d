"""Layouts that many readers share: judges, preference training, WebDataset, Hugging Face."""
