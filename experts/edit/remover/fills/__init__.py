"""What a removal may fill its hole with: along the flow, from the median frame, painted."""
