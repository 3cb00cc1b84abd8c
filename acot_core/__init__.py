"""Adversarially-Contrastive Optimal Transport (Cherian & Aeron, ICML 2020)."""

__version__ = "0.1.0"
