"""Section on relaxed atoms: what moved, and the strain that is left."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from nanostrata.interfaces.formatting import as_float, format_number
from nanostrata.interfaces.report_html import figure_html, html_table
from nanostrata.interfaces.run_folder import RunFolder

__all__ = ["strain_html"]


def strain_html(run: RunFolder, figures: Mapping[str, str]) -> str:
    """Words, figure and bonds; empty where atoms stand on the lattice."""
    relax = run.get("atoms.relax")
    if not isinstance(relax, Mapping):
        return ""
    strain = run.get("atoms.strain")
    strain = strain if isinstance(strain, Mapping) else {}
    before, after = as_float(relax.get("energy_before_ev")), as_float(relax.get("energy_ev"))
    text = (
        "<p>The atoms were moved to the minimum of Keating's valence force field: springs along the bonds and between them, "
        f"nothing else. They moved by {format_number(1000 * as_float(relax.get('mean_move_nm')), 1)} pm on average; the elastic "
        f"energy of a particle fell from {format_number(before, 1)} to {format_number(after, 2)} eV. "
    )
    inner, outer = as_float(strain.get("inner_dilation_percent")), as_float(strain.get("outer_dilation_percent"))
    if inner == inner and outer == outer:
        text += (
            f"Against free material of the same composition the lattice is {_wider(inner)} in the inner half of the radius and "
            f"{_wider(outer)} in the outer half. "
        )
    change = as_float(relax.get("radius_change_percent"))
    if change == change:
        text += (
            f"The radius of gyration changed by {format_number(change, 2)} %, which the fit, whose densities are Vegard's, does "
            "not know. "
        )
    text += (
        "Structures, pictures and the verification are those of the moved atoms. Ligands, charges and dislocations are not in "
        "this model: it tells what strain a perfect crystal of this composition has.</p>"
    )
    caption = (
        "Left: lattice constant read from the four neighbours of each atom (line: mean over atoms, band: their standard "
        "deviation), and what Vegard's rule gives for the composition there. Right: strain against the free material of that "
        "composition. In an alloy each atom has its own surroundings: the bands are no uncertainties."
    )
    return text + figure_html(run, figures, "strain", caption) + _bonds(relax)


def _wider(percent: float) -> str:
    word = "wider" if percent > 0 else "narrower"
    return f"{format_number(abs(percent), 2)} % {word}"


def _bonds(relax: Mapping[str, object]) -> str:
    laws, found = relax.get("bonds"), relax.get("bond_length_nm")
    if not isinstance(laws, list):
        return ""
    now = found if isinstance(found, Mapping) else {}
    rows = [
        [
            escape(str(b.get("bond"))), format_number(as_float(b.get("length_nm")), 4),
            format_number(as_float(now.get(b.get("bond"))), 4) if b.get("bond") in now else "–",
            format_number(as_float(b.get("alpha_n_m")), 1), format_number(as_float(b.get("beta_n_m")), 2),
            escape(str(b.get("source"))),
        ]
        for b in laws
        if isinstance(b, Mapping)
    ]  # fmt: skip
    header = ["bond", "free (nm)", "in the first particle (nm)", "α (N/m)", "β (N/m)", "source"]
    return html_table(header, rows) if rows else ""
