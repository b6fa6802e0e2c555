"""results.h5: the curves and fits as NXcanSAS, one NXprocess for each stage."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nanostrata.pipeline.run import Reconstruction


def write_results(r: Reconstruction, path: Path, summary: dict[str, Any]) -> None:
    """Write measured and fitted curves so that any NXcanSAS reader opens them, and the posterior draws beside them.

    q in 1/nm, intensities in the unit of the file, as attributes say. No dates are stored: the same run gives the same
    file content.
    """
    import h5py

    temporary = path.with_name(path.name + ".part")
    with h5py.File(temporary, "w", track_order=True) as h5:
        h5.attrs["NX_class"] = "NXroot"
        h5.attrs["default"] = "sasentry01"
        h5.attrs["creator"] = f"nanostrata {summary['software']['version']}"
        fits: Sequence[Any] = (
            r.fit.curves if r.fit is not None else r.contrasts.curves if r.contrasts is not None else ()
        )
        for i, curve in enumerate(r.inputs.curves, start=1):
            fit = fits[i - 1] if fits else None
            _entry(h5, f"sasentry{i:02d}", curve, fit, summary)
        process = h5.create_group("process")
        process.attrs["NX_class"] = "NXcollection"
        for stage in ("read", "profile", "waxs", "atoms", "verify", "diffusion", "explain"):
            _process(process, stage, summary)
        if r.fit is not None:
            g = process["profile"]
            _draws(g, "main", r.fit.main)
            _draws(g, "independent", r.fit.independent)
            g["shell_fraction_draws"] = r.fit.main_shells
        if r.diffusion is not None:
            g = process["diffusion"]
            g["diffusivity_cm2_s"] = r.diffusion.diffusivity_cm2_s
            _draws(g, "fick", r.diffusion.fick.draws)
        if r.contrasts is not None:
            g = process["profile"]
            g["names"] = np.array(r.contrasts.names, dtype=h5py.string_dtype())
            g["draws"] = r.contrasts.draws
            g["covariance"] = r.contrasts.covariance
    os.replace(temporary, path)


def _entry(h5: Any, name: str, curve: Any, fit: Any, summary: dict[str, Any]) -> None:
    entry = h5.create_group(name)
    entry.attrs.update({"NX_class": "NXentry", "canSAS_class": "SASentry", "version": "1.1", "default": "sasdata"})
    entry["definition"] = "NXcanSAS"
    entry["title"] = f"{summary['sample']['title']}, {curve.label}"
    entry["run"] = curve.label
    _data(entry, "sasdata", curve.q_inv_nm, curve.intensity, curve.sigma, curve.intensity_unit, curve.dq_inv_nm)
    if fit is not None:
        _data(entry, "sasdata_fit", fit.q_inv_nm, fit.fit, None, curve.intensity_unit, None)
    instrument = entry.create_group("sasinstrument")
    instrument.attrs.update({"NX_class": "NXinstrument", "canSAS_class": "SASinstrument"})
    if curve.energy_kev is not None:
        from nanostrata.constants import HC_KEV_NM

        source = instrument.create_group("sassource")
        source.attrs.update({"NX_class": "NXsource", "canSAS_class": "SASsource"})
        source["radiation"] = "x-ray"
        source["incident_wavelength"] = HC_KEV_NM / curve.energy_kev
        source["incident_wavelength"].attrs["units"] = "nm"
    sample = entry.create_group("sassample")
    sample.attrs.update({"NX_class": "NXsample", "canSAS_class": "SASsample"})
    sample["name"] = summary["sample"]["title"]


def _data(entry: Any, name: str, q: Any, intensity: Any, sigma: Any, unit: str, dq: Any) -> None:
    data = entry.create_group(name)
    data.attrs.update({"NX_class": "NXdata", "canSAS_class": "SASdata", "signal": "I", "I_axes": "Q", "Q_indices": [0]})
    data["Q"] = q
    data["Q"].attrs["units"] = "1/nm"
    data["I"] = intensity
    data["I"].attrs["units"] = "1/cm" if unit == "1/cm" else "arbitrary"
    if sigma is not None:
        data["Idev"] = sigma
        data["Idev"].attrs["units"] = data["I"].attrs["units"]
        data["I"].attrs["uncertainties"] = "Idev"
    if dq is not None:
        data["Qdev"] = dq
        data["Qdev"].attrs["units"] = "1/nm"
        data["Q"].attrs["resolutions"] = "Qdev"


def _process(group: Any, stage: str, summary: dict[str, Any]) -> None:
    g = group.create_group(stage)
    g.attrs["NX_class"] = "NXprocess"
    g["program"] = "nanostrata"
    g["version"] = summary["software"]["version"]
    g["seed"] = summary["seed"]
    keys = {
        "read": ("inputs", "notes"),
        "profile": ("particle", "profile", "asaxs", "contrasts"),
        "waxs": ("waxs",),
        "atoms": ("atoms",),
        "verify": ("verification",),
        "diffusion": ("diffusion",),
        "explain": ("findings",),
    }[stage]
    g["summary"] = json.dumps({k: summary[k] for k in keys if k in summary}, ensure_ascii=False)


def _draws(group: Any, name: str, draws: Any) -> None:
    import h5py

    g = group.create_group(name)
    g.attrs["NX_class"] = "NXcollection"
    g["names"] = np.array(draws.names, dtype=h5py.string_dtype())
    g["theta"] = draws.theta
    g["shell_fraction"] = draws.shell_fraction
    g["best"] = draws.best
    for key in ("chi2", "chi2_total", "r_hat", "effective", "acceptance"):
        g.attrs[key] = getattr(draws, key)
