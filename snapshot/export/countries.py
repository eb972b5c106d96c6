"""Which codes of two letters are countries, and which country a wrong code probably means."""

from collections.abc import Iterable

from snapshot.export.continents import built_in_continents
from snapshot.file.text import stripped

# GeoIP data give these codes to addresses without a country: proxies, satellites, unknown places.
_WITHOUT_CONTINENT = frozenset(("A1", "A2", "O1"))
# Other ways in which people write the countries that have mirrors.
_NAMES = {
    "AT": "AUSTRIA AUT",
    "AU": "AUSTRALIA AUS",
    "BE": "BELGIUM BEL",
    "BG": "BULGARIA BGR",
    "BR": "BRAZIL BRASIL BRA",
    "CA": "CANADA CAN",
    "CH": "SWITZERLAND CHE SUISSE SCHWEIZ",
    "CN": "CHINA CHN",
    "CZ": "CZECHIA CZE CZECH-REPUBLIC CS",
    "DE": "GERMANY DEU GER DEUTSCHLAND",
    "DK": "DENMARK DNK",
    "ES": "SPAIN ESP ESPANA",
    "FI": "FINLAND FIN",
    "FR": "FRANCE FRA",
    "GB": "UK UNITED-KINGDOM GREAT-BRITAIN ENGLAND SCOTLAND WALES GBR",
    "GR": "GREECE EL GRC HELLAS",
    "HK": "HONG-KONG HKG",
    "HU": "HUNGARY HUN",
    "ID": "INDONESIA IDN",
    "IE": "IRELAND IRL",
    "IL": "ISRAEL ISR",
    "IN": "INDIA IND",
    "IR": "IRAN IRN",
    "IT": "ITALY ITA ITALIA",
    "JP": "JAPAN JPN",
    "KR": "KOREA SOUTH-KOREA KOR REPUBLIC-OF-KOREA",
    "LT": "LITHUANIA LTU",
    "LV": "LATVIA LVA",
    "MX": "MEXICO MEX",
    "NL": "NETHERLANDS THE-NETHERLANDS HOLLAND NLD",
    "NO": "NORWAY NOR",
    "NZ": "NEW-ZEALAND NZL",
    "PL": "POLAND POL",
    "PT": "PORTUGAL PRT",
    "RO": "ROMANIA ROU",
    "RS": "SERBIA SRB",
    "RU": "RUSSIA RUSSIAN-FEDERATION RUS SU",
    "SE": "SWEDEN SWE",
    "SG": "SINGAPORE SGP",
    "SK": "SLOVAKIA SVK",
    "TH": "THAILAND THA",
    "TR": "TURKEY TURKIYE TUR",
    "TW": "TAIWAN TWN",
    "UA": "UKRAINE UKR",
    "US": "USA U.S.A. U.S. UNITED-STATES UNITED-STATES-OF-AMERICA AMERICA",
    "VN": "VIETNAM VIET-NAM VNM",
    "ZA": "SOUTH-AFRICA ZAF RSA",
}


class Countries:
    """The countries of ISO 3166, the codes of GeoIP data, and the codes that a site added."""

    def __init__(self, own: Iterable[str] = ()) -> None:
        """Take the codes that a site's table of continents has beside the built-in ones."""
        self._known = frozenset((*built_in_continents(), *_WITHOUT_CONTINENT, *own))
        self._meant = {name: country for country, names in _NAMES.items() for name in names.split()}

    def __contains__(self, code: object) -> bool:
        """Return whether a code in upper case is a country."""
        return code in self._known

    def parse(self, text: object) -> str:
        """Return a code in upper case, "" for an absent one; ValueError if it is not a country."""
        country = stripped("" if text is None else text, "country").upper()
        if country and country not in self._known:
            raise ValueError(self.why_not(country))
        return country

    def why_not(self, country: str) -> str:
        """Return a text that a country does not exist, with the probable meaning if it is known."""
        meant = self._meant.get("-".join(country.split()))
        return f"there is no country {country:.40}" + (f"; {meant} is meant?" if meant else "")


def is_own_code(country: str) -> bool:
    """Return whether ISO 3166 leaves a code to its users: AA, QM to QZ, XA to XZ, ZZ."""
    first, second = country[:1], country[1:]
    return len(country) == 2 and (
        country in ("AA", "ZZ")
        or (first == "Q" and "M" <= second <= "Z")
        or (first == "X" and "A" <= second <= "Z")
    )
