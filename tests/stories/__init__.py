"""Runs with real servers, one folder a story."""
