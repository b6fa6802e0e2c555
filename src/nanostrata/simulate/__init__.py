"""Synthetic measurements of particles made of atoms, with known truth."""
