"""The image and text encoder that the filters share, and the two networks it is made of."""
