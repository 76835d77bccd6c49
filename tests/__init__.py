"""The tests: units, servers, stories."""
