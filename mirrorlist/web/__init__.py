"""The public port: connections, HTTP, limits on both, and the two ways to answer a list.

`app` is complete under any ASGI server; `fast` answers plain requests for lists in the parser's
callback, with the same bytes. This is the room that knows httptools and uvicorn's protocol;
what a list says is never decided here.
"""
