"""What makes one incident of many pieces: what belongs to it, and what came first."""
