"""What must be there and answer: weights, models on servers, and hosts of footage."""
