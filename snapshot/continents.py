"""Which continent a country is on: the ISO 3166 countries, or a site's own CSV."""

from pathlib import Path

from snapshot.errors import DataFileError
from snapshot.wholefile import read_text

# ISO 3166-1 countries and XK by GeoNames' continents, which GeoLite2 uses too.
_COUNTRIES = {
    "AF": "AO BF BI BJ BW CD CF CG CI CM CV DJ DZ EG EH ER ET GA GH GM GN GQ GW KE KM LR LS LY MA"
    " MG ML MR MU MW MZ NA NE NG RE RW SC SD SH SL SN SO SS ST SZ TD TG TN TZ UG YT ZA ZM ZW",
    "AN": "AQ BV GS HM TF",
    "AS": "AE AF AM AZ BD BH BN BT CC CN CX GE HK ID IL IN IO IQ IR JO JP KG KH KP KR KW KZ LA LB"
    " LK MM MN MO MV MY NP OM PH PK PS QA SA SG SY TH TJ TM TR TW UZ VN YE",
    "EU": "AD AL AT AX BA BE BG BY CH CY CZ DE DK EE ES FI FO FR GB GG GI GR HR HU IE IM IS IT JE"
    " LI LT LU LV MC MD ME MK MT NL NO PL PT RO RS RU SE SI SJ SK SM UA VA XK",
    "NA": "AG AI AW BB BL BM BQ BS BZ CA CR CU CW DM DO GD GL GP GT HN HT JM KN KY LC MF MQ MS MX"
    " NI PA PM PR SV SX TC TT US VC VG VI",
    "OC": "AS AU CK FJ FM GU KI MH MP NC NF NR NU NZ PF PG PN PW SB TK TL TO TV UM VU WF WS",
    "SA": "AR BO BR CL CO EC FK GF GY PE PY SR UY VE",
}


def built_in_continents() -> dict[str, str]:
    """Return the continent of every ISO 3166 country."""
    return {
        country: continent
        for continent, countries in _COUNTRIES.items()
        for country in countries.split()
    }


def read_continents(path: Path) -> dict[str, str]:
    """Return the table of a CSV file of lines `CC,CONT`, which replaces the built-in one.

    Lines whose country is not two characters are passed over, as the incumbent does; a file
    with no usable line raises DataFileError.
    """
    try:
        lines = read_text(path).splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not text"
        raise DataFileError(f"{path}: cannot be read: {why}") from error
    continents = dict(pair for line in lines if (pair := _pair(line)))
    if not continents:
        raise DataFileError(f"{path}: no line of the form CC,CONT in it, such as DE,EU")
    return continents


def _pair(line: str) -> tuple[str, str] | None:
    country, _, rest = line.partition(",")
    country, continent = country.strip(' "').upper(), rest.partition(",")[0].strip(' "').upper()
    # MaxMind's table says `--` for satellites and proxies: no continent.
    if len(country) == 2 and len(continent) == 2 and continent != "--":
        return country, continent
    return None
