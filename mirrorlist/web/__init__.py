"""The public port: connections, HTTP, limits on both, and the two ways to answer a list.

`app` is complete under any ASGI server; `fast` answers plain requests for lists in the parser's
callback, with the same bytes. Only this room knows httptools and uvicorn's protocol; the content
of a list is never decided here.
"""
