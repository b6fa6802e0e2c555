"""Formulas: arrays in, arrays out. No file, no unit table, no log."""
