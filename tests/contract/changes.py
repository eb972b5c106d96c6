"""What changed, for rsync: the paths, both forms, and mistakes, under every way in."""

from tests.contract.case import Case

_NULL = b"# rsync --exclude-from=(this file)\n# includes\n# excludes\n- *\n# end of list\n"
# EPEL's directories changed at 400, 500 and 600.
_EPEL = "categories=EPEL&stripprefix=pub"
_CLASSIC = (
    b"# rsync --exclude-from=(this file)\n# includes\n+ epel/\n+ epel/*\n+ epel/9/\n+ epel/9/*\n"
    b"+ epel/9/x86_64/\n+ epel/9/x86_64/*\n+ epel/9/x86_64/repodata/\n+ epel/9/x86_64/repodata/*\n"
    b"# excludes\n- *\n# end of list\n"
)
_FILES = b"epel/9/x86_64/\nepel/9/x86_64/repodata/\n"
_BOTH = f"{_EPEL}&since=450"

CHANGES = (
    *(
        Case(f"classic at {path}", f"{path}?{_BOTH}", body=_CLASSIC)
        for path in (
            "/rsyncFilter",
            "/rsyncFilter/",
            "/mirrormanager/rsyncFilter",
            "/mirrormanager/rsyncFilter/",
            "/a/b/rsyncFilter",
        )
    ),
    *(
        Case(f"other path {path}", f"{path}?{_BOTH}", status=404)
        for path in ("/rsyncfilter", "/xrsyncFilter", "/rsyncFilter/x", "/rsyncFilter//")
    ),
    Case("files", f"/rsyncFilter?{_BOTH}&form=files", body=_FILES),
    Case("the order of parameters", f"/rsyncFilter?form=files&since=450&{_EPEL}", body=_FILES),
    Case("nothing changed", f"/rsyncFilter?{_EPEL}&since=600", body=_NULL),
    Case("nothing changed, files", f"/rsyncFilter?{_EPEL}&since=600&form=files", body=b""),
    Case("in the future", f"/rsyncFilter?{_EPEL}&since=99999999999", body=_NULL),
    Case("HEAD", f"/rsyncFilter?{_BOTH}", method="HEAD", body=b""),
    Case("HEAD of a mistake", "/rsyncFilter", method="HEAD", status=400, body=b""),
    Case("POST", f"/rsyncFilter?{_BOTH}", method="POST", status=405, allow="GET, HEAD"),
    *(
        Case(
            name,
            f"/rsyncFilter?{query}",
            status=400,
            starts=f"# rsync --exclude-from=(this file)\n# {says}",
            contains=("\n# includes\n# excludes\n- *\n# end of list\n",),
        )
        for name, query, says in (
            ("nothing asked", "", "categories=: missing"),
            ("no since", _EPEL, "since=: missing"),
            ("unknown category", "categories=Nope&since=1", "categories=: no category Nope"),
            ("negative", f"{_EPEL}&since=-1", "since=: not a number"),
            ("line feed", f"{_BOTH}&select=%0A", "select=: a control character"),
        )
    ),
)
