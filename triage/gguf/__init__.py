"""GGUF model files, of which the header alone is read."""
