"""Did the edit succeed? The filter, its model and the descriptor of a pair that the model sees."""
