"""Recurrent circuits whose stability is certified, and their training."""
