"""`mien serve`: pictures, videos and live frames over HTTP and WebSocket.

The event loop moves bytes and nothing else. Pictures are worked on by a few threads (`pool`),
videos by a process of their own (`jobs`, `job_process`), and what recognises is that of
`mien.workflows` and `mien.recognition`. FastAPI, uvicorn and prometheus-client are imported here
and nowhere else. A request goes this way:

    protocol   bytes of a connection: deadline of the header, number of connections
    shell      headers of every answer, request counts, what nobody expected
    access     Host, Origin, token
    routes     what a request means; bodies: its bytes, within limits
    admission  whether there is room, before a byte of the body is read
"""
