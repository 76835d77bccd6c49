"""The list over HTTP: the one room of uvicorn and Starlette."""
