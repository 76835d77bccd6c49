"""Put the house together from a configuration: the only room that knows every adapter."""
