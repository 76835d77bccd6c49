"""Doorways: parse options, call one function, print."""
