"""Turns the remains of a crashed inference server into a diagnosis."""

__version__ = "0.1.0"
