"""What stock sites with an API have in common: a search that goes on from build to build, the
choice among a video's renditions, and the key."""
