"""Files of a ball as other programs lay them out: GNOM of both layouts, and bead models; every number is computed here."""

import numpy as np

from tests.shapes import ball_amplitude


def ball_pairs(r, diameter, i_zero):
    """Pair distances of a ball with 4 pi int p dr = I(0)."""
    x = r / diameter
    p = x**2 * (1 - 1.5 * x + 0.5 * x**3) * (x < 1)
    return p * i_zero / (4 * np.pi * diameter / 24)  # int_0^1 x^2 (1 - 1.5 x + 0.5 x^3) dx = 1/24


def gnom_text(version, *, diameter, i_zero=60.0, q_first=0.3, q_last=4.0, points=60, unit=1.0, seed=0, dmax=None):
    """GNOM output for a ball; ``unit`` is the number of file units in one nm (10: angstrom)."""
    rng = np.random.default_rng(seed)
    q = np.linspace(q_first, q_last, points)
    exact = i_zero * ball_amplitude(q * diameter / 2) ** 2
    sigma = 0.02 * exact + 1e-3 * i_zero
    measured = exact + sigma * rng.normal(size=points)
    before = np.linspace(0.0, q_first, 8)[:-1]
    top = i_zero * ball_amplitude(before * diameter / 2) ** 2
    r = np.linspace(0.0, diameter, 101)
    p = ball_pairs(r, diameter, i_zero) / unit
    q, before, r = q / unit, before / unit, r * unit
    rg, far = np.sqrt(0.6) * diameter / 2 * unit, diameter * unit if dmax is None else dmax
    if version == 4:
        head = [
            "", "           ####    G N O M   ---   Version 4.6                       ####", "",
            "           ===    Run No   1   ===", " Run title:  a ball", "",
            "   *******    Input file(s) : ball.dat", "           Condition P(rmin) = 0 is used. ", "",
            "             ####            Final results            ####", "",
            f"  Angular   range    :     from {q[0]:9.4f}   to {q[-1]:9.4f}",
            f"  Real space range   :     from {0:9.2f}   to {far:9.2f}", "",
            f"  Current ALPHA         :   0.114E+01   Rg : {rg:10.3E}   I(0) : {i_zero:10.3E}", "",
            "           Total  estimate : 0.917  which is  AN EXCELLENT  solution", "",
        ]  # fmt: skip
        wide, real = "12.4E", []
        tail = [
            f"          Reciprocal space: Rg = {rg:7.2f}     , I(0) = {i_zero:12.4E}",
            f"     Real space: Rg = {rg:7.4g} +- {0.01 * rg:5.3f}  I(0) = {i_zero:12.4E} +- {0.01 * i_zero:11.4E}",
        ]
    else:
        head = [
            "", "           ####      G N O M             Version 5.0 (r12593)      ####", "",
            "           ####      Configuration                                 ####", "",
            "    System Type:                   arbitrary monodisperse (job = 0)",
            f"    Maximum characteristic size:       {far:9.4f}", "",
            "           ####      Results                                       ####", "",
            f"    Angular range:                    {q[0]:9.4f} to    {q[-1]:9.4f}",
            f"    Reciprocal space Rg:             {rg:10.4E}", "",
            f"    Real space range:                 {0:9.4f} to    {far:9.4f}",
            f"    Real space Rg:                   {rg:10.4E} +-   {0.01 * rg:10.4E}",
            f"    Real space I(0):                 {i_zero:10.4E} +-   {0.01 * i_zero:10.4E}", "",
            "    Total Estimate:                      0.9708 (a EXCELLENT solution)", "",
            "           ####      Experimental Data and Fit                     ####", "",
        ]  # fmt: skip
        wide, tail = "15.6E", []
        real = ["           ####      Real Space Data                               ####", ""]
    rows = [f"{a:{wide}}{'':{4 * int(wide[:2])}}{b:{wide}}" for a, b in zip(before, top, strict=True)]
    rows += ["".join(f"{v:{wide}}" for v in row) for row in zip(q, measured, sigma, exact, exact, strict=True)]
    pairs = [f"{a:12.4E}{b:12.4E}{0.01 * b:12.4E}" for a, b in zip(r, p, strict=True)]
    lines = [
        *head, "      S          J EXP       ERROR       J REG       I REG", "", *rows, "", *real,
        "           Distance distribution  function of particle  ", "", "",
        "       R          P(R)      ERROR", "", *pairs, *tail,
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def lattice_ball(diameter, bead):
    """Face-centred cubic sites with neighbours a bead apart, inside a ball of the given diameter."""
    edge = bead * np.sqrt(2.0)
    n = int(np.ceil(diameter / edge)) + 1
    corner = np.stack(np.meshgrid(*(np.arange(-n, n + 1),) * 3, indexing="ij"), -1).reshape(-1, 3)
    sites = np.concatenate([corner + s for s in ((0, 0, 0), (0.5, 0.5, 0), (0.5, 0, 0.5), (0, 0.5, 0.5))]) * edge
    sites = sites + np.array([0.11, 0.07, 0.05]) * bead  # the centre on no site
    return sites[(sites**2).sum(axis=1) <= (diameter / 2) ** 2]


def dammif_text(places, radius, *, count=None, occupancy="1.0"):
    """Beads in the layout of DAMMIF (lengths in the unit of ``places``), residues counted 1 to 10."""
    n = len(places) if count is None else count
    rg = np.sqrt(((places - places.mean(axis=0)) ** 2).sum(axis=1).mean())
    head = [
        "", "EXPERIMENT TYPE: THEORETICAL MODELLING", "", " SOFTWARE USED    : dammif (r12593)", "",
        "EXPERIMENTAL DETAILS :", f" Dummy atoms in output phase   : {n}", f" Dummy atom radius             : {radius:10.3f}",
        f" Total excluded DAM volume     : {n * 8 * radius**3 / np.sqrt(2):10.3E}",
        f" Phase radius of gyration      : {rg:10.3f}", "",
    ]  # fmt: skip
    lines = [f"REMARK 265 {h}" for h in head]
    lines += [
        f"ATOM  {i:5d}  CA  ASP B{i % 10 + 1:4d}    {x:8.3f}{y:8.3f}{z:8.3f}{occupancy:>6}  20.0 0 2 201"
        for i, (x, y, z) in enumerate(places, start=1)
    ]
    return "\n".join(lines) + "\n"


def dammin_text(places, radius):
    """Beads in the layout of DAMMIN."""
    head = [
        f" Number of particle atoms ......................... : {len(places)}",
        f" DAM packing radius ............................... : {radius:.3f}",
    ]
    lines = [f"REMARK 265 {h}" for h in head]
    lines += [
        f"ATOM  {i:5d}  CA  ASP  {i % 9999:4d}    {x:8.3f}{y:8.3f}{z:8.3f}  1.00 20.00 1 2 201"
        for i, (x, y, z) in enumerate(places, start=1)
    ]
    return "\n".join(lines) + "\n"
