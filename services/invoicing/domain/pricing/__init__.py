"""Arithmetic: lines, discounts, tax, rounding."""
