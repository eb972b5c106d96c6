"""Who asks, and for which list: bytes of a request in, frozen structs out.

A value that cannot be understood is a `BadQuery` or is passed over, as docs/protocol.md says for
each parameter. This room never looks into a snapshot; the only file that it reads is GeoIP's.
"""
