"""What changes in the host's user interface: the tag that brings the page in, and the patch of its sources."""
