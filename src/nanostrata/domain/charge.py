"""The charge of a particle of atoms, shell by shell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from nanostrata.domain.base import Domain

Counts: TypeAlias = dict[str, dict[str, int]]
"""Sublattice -> symbol -> number of sites."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShellBalance(Domain):
    """Composition and charge of one shell of a particle.

    Attributes
    ----------
    index : 1 = centre
    sites : sites of each sublattice
    x_wanted, x_achieved : share of shell material by sites, as planned and as counted
    quota : largest-remainder quota of each species of each sublattice for the planned composition of this shell alone
    counts : species of each sublattice as built, vacancies "X" included
    charge_e : sum of the oxidation states
    site_excess_e : part of the charge that comes from unequal numbers of cation and anion sites in this shell
    formula_e : part that comes from formulas that are not neutral
    residue_before_e, residue_e : the rest, which comes from whole numbers of atoms, before and after balancing
    exchange_units : how many exchange units the sites of this shell hold; None where there is none
    message : says when the shell holds less than one unit
    """

    index: int
    sites: Mapping[str, int]
    x_wanted: float
    x_achieved: float
    quota: Counts
    counts: Counts
    charge_e: float
    site_excess_e: float
    formula_e: float
    residue_before_e: float
    residue_e: float
    exchange_units: float | None
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceReport(Domain):
    """Charge of a particle, split by where it comes from: charge_e = surface_excess_e + formula_e + residue_e.

    Attributes
    ----------
    shells : inner to outer
    changed_sites : sites whose species was changed
    charge_before_e, charge_e : sum of the oxidation states before and after
    surface_excess_e : from unequal numbers of cation and anion sites; ligands, which are not modelled, would balance it
    formula_e : from end members whose formula is not neutral
    residue_before_e, residue_e : from whole numbers of atoms
    messages : what a reader should know
    """

    shells: tuple[ShellBalance, ...]
    changed_sites: int
    charge_before_e: float
    charge_e: float
    surface_excess_e: float
    formula_e: float
    residue_before_e: float
    residue_e: float
    messages: tuple[str, ...]
