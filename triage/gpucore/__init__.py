"""Reads GPU core dumps that NVIDIA's driver writes; no GPU, driver or debugger is needed."""
