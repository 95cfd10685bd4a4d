"""VIVID-10M's local-editing records: drawn, masked, captioned and measured."""
