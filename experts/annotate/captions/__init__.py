"""What a clip shows, in words: one file per captioner, behind `description.Captioner`."""
