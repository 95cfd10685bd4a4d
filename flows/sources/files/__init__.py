"""Files that are read in pieces wherever they lie: on this machine, in a bucket, behind a link."""
