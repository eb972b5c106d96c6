"""Makes a site's files of other lists of mirrors, and notes what was changed or left out.

What belongs here: reading the other formats. Whether the files that come of it can be used is
told by `snapshot.sites.load`.
"""
