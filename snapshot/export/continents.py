"""The continents of countries: MirrorManager's own table, completed, and a site's own CSV file."""

from pathlib import Path

from snapshot.file.errors import DataFileError
from snapshot.file.wholefile import read_text

# From MirrorManager's utility/country_continent.csv, which has Cyprus and East Timor in Asia and
# Turkey in Europe; BQ, CW, SS, SX and XK, which it lacks, are from GeoNames. AP and EU are GeoIP's
# codes for addresses of a region; AN and FX are former countries.
_COUNTRIES = {
    "AF": "AO BF BI BJ BW CD CF CG CI CM CV DJ DZ EG EH ER ET GA GH GM GN GQ GW KE KM LR LS LY MA"
    " MG ML MR MU MW MZ NA NE NG RE RW SC SD SH SL SN SO SS ST SZ TD TG TN TZ UG YT ZA ZM ZW",
    "AN": "AQ BV GS HM TF",
    "AS": "AE AF AM AZ BD BH BN BT CC CN CX GE HK ID IL IN IO IQ IR JO JP KG KH KP KR KW KZ LA LB"
    " LK MM MN MO MV MY NP OM PH PK PS QA SA SG SY TH TJ TL TM TW UZ VN YE AP CY",
    "EU": "AD AL AT AX BA BE BG BY CH CZ DE DK EE ES FI FO FR GB GG GI GR HR HU IE IM IS IT JE"
    " LI LT LU LV MC MD ME MK MT NL NO PL PT RO RS RU SE SI SJ SK SM TR UA VA XK EU FX",
    "NA": "AG AI AW BB BL BM BQ BS BZ CA CR CU CW DM DO GD GL GP GT HN HT JM KN KY LC MF MQ MS MX"
    " NI PA PM PR SV SX TC TT US VC VG VI AN",
    "OC": "AS AU CK FJ FM GU KI MH MP NC NF NR NU NZ PF PG PN PW SB TK TO TV UM VU WF WS",
    "SA": "AR BO BR CL CO EC FK GF GY PE PY SR UY VE",
}

# MaxMind's code for the continent of satellites and proxies.
_NONE = "--"


def built_in_continents() -> dict[str, str]:
    """Return the continent of every country of ISO 3166 and of GeoIP's codes for regions."""
    return {
        country: continent
        for continent, countries in _COUNTRIES.items()
        for country in countries.split()
    }


def read_continents(path: Path) -> dict[str, str]:
    """Return the built-in table, changed by the lines `CC,CONT` of a CSV file.

    Lines whose country is not two characters are skipped, like in mirrorlist-server; `CC,--` is a
    country without a continent. A file without a usable line raises DataFileError.
    """
    try:
        lines = read_text(path).removeprefix("\ufeff").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not text"
        raise DataFileError(f"{path}: cannot be read: {why}") from error
    given = dict(pair for line in lines if (pair := _pair(line)))
    if not any(continent != _NONE for continent in given.values()):
        raise DataFileError(f"{path}: no line of the form CC,CONT in it, such as DE,EU")
    both = {**built_in_continents(), **given}
    return {country: continent for country, continent in both.items() if continent != _NONE}


def _pair(line: str) -> tuple[str, str] | None:
    country, _, rest = line.partition(",")
    country, continent = country.strip(' "').upper(), rest.partition(",")[0].strip(' "').upper()
    return (country, continent) if len(country) == len(continent) == 2 else None
