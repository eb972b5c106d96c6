"""The public port: connections, HTTP, limits on both, and the ways to answer a list.

`light` answers plain requests for lists that are recognised without a parser, `fast` answers
others in the parser's callback, and `app` is complete under any ASGI server; all three give the
same bytes. Only this room knows httptools and uvicorn's protocol; the content of a list is never
decided here.
"""
