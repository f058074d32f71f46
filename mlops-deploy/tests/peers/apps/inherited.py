"""Runs `fastapi_app` on descriptor 3, as `uvicorn --fd 3` does, but as the TCP socket that it is.

uvicorn takes such a descriptor for a Unix socket, so that asyncio does not turn Nagle's algorithm off: on a
connection that is kept, each answer waits for the client's delayed acknowledgement.
"""

import socket

import uvicorn

config = uvicorn.Config("fastapi_app:app", access_log=False)
uvicorn.Server(config).run(sockets=[socket.socket(fileno=3)])
