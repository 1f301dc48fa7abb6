"""Flows and maps: where they rest, how stable each rest is, and how far that holds."""
