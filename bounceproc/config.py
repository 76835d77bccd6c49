"""The configuration file as typed values; secrets from environment or files."""
