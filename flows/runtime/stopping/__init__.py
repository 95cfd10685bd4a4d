"""A build that is interrupted ends in good order."""
