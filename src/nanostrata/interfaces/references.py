"""Everything that a run may cite."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["REFERENCES", "Reference"]


@dataclass(frozen=True, slots=True)
class Reference:
    """One reference.

    Attributes
    ----------
    key : BibTeX key
    kind : BibTeX entry type
    author, title : as published; authors separated by " and "
    fields : further BibTeX fields (journal, volume, pages, year, doi, url, ...)
    """

    key: str
    kind: str
    author: str
    title: str
    fields: tuple[tuple[str, str], ...]

    def get(self, name: str) -> str:
        """A further field; "" when there is none."""
        return dict(self.fields).get(name, "")

    @property
    def link(self) -> str:
        """DOI as an address, or the url."""
        return f"https://doi.org/{self.get('doi')}" if self.get("doi") else self.get("url")

    def as_text(self) -> str:
        """One line for a numbered list."""
        names = [self.author[1:-1]] if self.author.startswith("{") else self.author.split(" and ")
        more = len(names) > 2 or "others" in names
        who = f"{names[0]} et al." if more else " & ".join(names)
        where = ", ".join(
            x
            for x in (
                self.get("journal") or self.get("booktitle") or self.get("publisher"),
                self.get("address"),
                self.get("volume"),
                self.get("pages").replace("--", "–"),
            )
            if x
        )
        year = f" ({self.get('year')})" if self.get("year") else ""
        isbn = f"ISBN {self.get('isbn')}" if self.get("isbn") else ""
        identifier = f"doi:{self.get('doi')}" if self.get("doi") else self.get("url") or isbn
        note = f" {self.get('note')}." if self.get("note") else ""
        stop = "" if not year and who.endswith(".") else "."
        return f"{who}{year}{stop} {self.title}.{f' {where}.' if where else ''}{note} {identifier}".strip()

    def as_bibtex(self) -> str:
        """BibTeX entry."""
        rows = [("author", self.author), ("title", f"{{{self.title}}}"), *self.fields]
        body = ",\n".join(f"  {name} = {{{value}}}" for name, value in rows)
        return f"@{self.kind}{{{self.key},\n{body}\n}}"


def _article(
    key: str, author: str, title: str, journal: str, volume: str, pages: str, year: str, doi: str
) -> Reference:
    fields = (("journal", journal), ("volume", volume), ("pages", pages), ("year", year), ("doi", doi))
    return Reference(key, "article", author, title, fields)


def _software(key: str, author: str, title: str, url: str) -> Reference:
    return Reference(key, "misc", author, title, (("url", url),))


_ALL = (
    _article(
        "yarema2017",
        "Yarema, M. and Xing, Y. and Lechner, R. T. and Ludescher, L. and Dordevic, N. and Lin, W. M. M. and "
        "Yarema, O. and Wood, V.",
        "Mapping the Atomistic Structure of Graded Core/Shell Colloidal Nanocrystals",
        "Scientific Reports",
        "7",
        "11718",
        "2017",
        "10.1038/s41598-017-11996-2",
    ),
    _article(
        "golub1973",
        "Golub, G. H. and Pereyra, V.",
        "The Differentiation of Pseudo-Inverses and Nonlinear Least Squares Problems Whose Variables Separate",
        "SIAM Journal on Numerical Analysis",
        "10",
        "413--432",
        "1973",
        "10.1137/0710036",
    ),
    _article(
        "chantler1995",
        "Chantler, C. T.",
        "Theoretical Form Factor, Attenuation, and Scattering Tabulation for Z=1-92 from E=1-10 eV to E=0.4-1.0 MeV",
        "Journal of Physical and Chemical Reference Data",
        "24",
        "71--643",
        "1995",
        "10.1063/1.555974",
    ),
    _software("xraydb", "Newville, M. and others", "XrayDB: X-ray Reference Data", "https://github.com/xraypy/XrayDB"),
    _article(
        "cromer1981",
        "Cromer, D. T. and Liberman, D. A.",
        "Anomalous dispersion calculations near to and on the long-wavelength side of an absorption edge",
        "Acta Crystallographica Section A",
        "37",
        "267--268",
        "1981",
        "10.1107/S0567739481000600",
    ),
    _article(
        "gemmi2022",
        "Wojdyr, M.",
        "GEMMI: A library for structural biology",
        "Journal of Open Source Software",
        "7",
        "4200",
        "2022",
        "10.21105/joss.04200",
    ),
    _article(
        "waasmaier1995",
        "Waasmaier, D. and Kirfel, A.",
        "New analytical scattering-factor functions for free atoms and ions",
        "Acta Crystallographica Section A",
        "51",
        "416--431",
        "1995",
        "10.1107/S0108767394013292",
    ),
    _article(
        "debye1915",
        "Debye, P.",
        "Zerstreuung von Röntgenstrahlen",
        "Annalen der Physik",
        "351",
        "809--823",
        "1915",
        "10.1002/andp.19153510606",
    ),
    _article(
        "golub1969",
        "Golub, G. H. and Welsch, J. H.",
        "Calculation of Gauss quadrature rules",
        "Mathematics of Computation",
        "23",
        "221--230",
        "1969",
        "10.1090/S0025-5718-69-99647-1",
    ),
    _article(
        "keating1966",
        "Keating, P. N.",
        "Effect of invariance requirements on the elastic strain energy of crystals with application to the diamond structure",
        "Physical Review",
        "145",
        "637--645",
        "1966",
        "10.1103/PhysRev.145.637",
    ),
    _article(
        "martin1970",
        "Martin, R. M.",
        "Elastic properties of ZnS structure semiconductors",
        "Physical Review B",
        "1",
        "4005--4011",
        "1970",
        "10.1103/PhysRevB.1.4005",
    ),
    Reference(
        "crank1975",
        "book",
        "Crank, J.",
        "The Mathematics of Diffusion",
        (
            ("edition", "2"),
            ("publisher", "Clarendon Press"),
            ("address", "Oxford"),
            ("year", "1975"),
            ("isbn", "0-19-853344-6"),
        ),
    ),
    _article(
        "vegard1921",
        "Vegard, L.",
        "Die Konstitution der Mischkristalle und die Raumfüllung der Atome",
        "Zeitschrift für Physik",
        "5",
        "17--26",
        "1921",
        "10.1007/BF01349680",
    ),
    _article(
        "denton1991",
        "Denton, A. R. and Ashcroft, N. W.",
        "Vegard's law",
        "Physical Review A",
        "43",
        "3161--3164",
        "1991",
        "10.1103/PhysRevA.43.3161",
    ),
    _article(
        "numpy2020",
        "Harris, C. R. and Millman, K. J. and van der Walt, S. J. and others",
        "Array programming with NumPy",
        "Nature",
        "585",
        "357--362",
        "2020",
        "10.1038/s41586-020-2649-2",
    ),
    _article(
        "scipy2020",
        "Virtanen, P. and Gommers, R. and Oliphant, T. E. and others",
        "SciPy 1.0: fundamental algorithms for scientific computing in Python",
        "Nature Methods",
        "17",
        "261--272",
        "2020",
        "10.1038/s41592-019-0686-2",
    ),
    Reference(
        "numba2015",
        "inproceedings",
        "Lam, S. K. and Pitrou, A. and Seibert, S.",
        "Numba: a LLVM-based Python JIT compiler",
        (
            ("booktitle", "Proceedings of the Second Workshop on the LLVM Compiler Infrastructure in HPC"),
            ("pages", "7:1--7:6"),
            ("year", "2015"),
            ("doi", "10.1145/2833157.2833162"),
        ),
    ),
    _article(
        "ase2017",
        "Larsen, A. H. and Mortensen, J. J. and Blomqvist, J. and others",
        "The atomic simulation environment -- a Python library for working with atoms",
        "Journal of Physics: Condensed Matter",
        "29",
        "273002",
        "2017",
        "10.1088/1361-648X/aa680e",
    ),
    _software(
        "sasdata",
        "{SasView developers}",
        "sasdata: reading and writing of small-angle scattering data",
        "https://github.com/SasView/sasdata",
    ),
    _software(
        "nxcansas",
        "{NeXus International Advisory Committee and canSAS}",
        "NXcanSAS: application definition for reduced small-angle scattering data",
        "https://manual.nexusformat.org/classes/applications/NXcanSAS.html",
    ),
    _article(
        "matplotlib2007",
        "Hunter, J. D.",
        "Matplotlib: A 2D graphics environment",
        "Computing in Science and Engineering",
        "9",
        "90--95",
        "2007",
        "10.1109/MCSE.2007.55",
    ),
    _article(
        "3dmol2015",
        "Rego, N. and Koes, D.",
        "3Dmol.js: molecular visualization with WebGL",
        "Bioinformatics",
        "31",
        "1322--1324",
        "2015",
        "10.1093/bioinformatics/btu829",
    ),
    _article(
        "trewhella2017",
        "Trewhella, J. and Duff, A. P. and Durand, D. and others",
        "2017 publication guidelines for structural modelling of small-angle scattering data from biomolecules "
        "in solution: an update",
        "Acta Crystallographica Section D",
        "73",
        "710--728",
        "2017",
        "10.1107/S2059798317011597",
    ),
)
REFERENCES: dict[str, Reference] = {r.key: r for r in _ALL}
