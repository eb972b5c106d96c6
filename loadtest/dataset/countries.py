"""Where mirrors and their clients are: countries with their shares."""

_HOSTS = (
    "US 62 DE 42 FR 19 GB 17 CN 16 CA 13 NL 12 JP 11 BR 11 RU 10 SE 10 AU 9 CZ 9 TW 9 CH 8 IN 8"
    " PL 8 IT 8 UA 7 BG 7 SG 7 RO 6 ES 6 AT 6 ID 6 DK 6 NO 5 FI 5 KR 5 ZA 5 HK 5 GR 5 HU 5 TR 4"
    " VN 4 TH 3 BE 3 PT 3 LT 3 LV 2 EE 2 SK 2 SI 2 RS 2 HR 2 IR 2 IL 2 BY 2 AR 2 CL 2 MX 2 NZ 2"
    " IE 2 IS 1 LU 1 MD 1 KZ 1 MY 1 PH 1 BD 1 KE 1 EC 1 CR 1 CO 1 UY 1 NC 1 AM 1 GE 1 AZ 1 CY 1"
    " LK 1 MA 1 MK 1"
)
_WITHOUT_HOSTS = (
    "PK EG SA AE PE VE NG NP IQ TN DZ LB JO GT PA PY BO DO UZ KG MN KH MM AL BA ME MT GH TZ UG ET"
    " SN CI CM ZW AO MZ MU QA KW"
)
_fields = _HOSTS.split()

HOST_COUNTRIES = dict(zip(_fields[::2], map(float, _fields[1::2]), strict=True))
"""Countries that have mirrors, with their number of hosts at about scale 1."""

CLIENT_COUNTRIES = HOST_COUNTRIES | dict.fromkeys(_WITHOUT_HOSTS.split(), 1.0)
"""Countries that have clients, with their shares: those with mirrors, and some without."""
