"""Curves of bodies of known shape, by routes that share nothing with the beads."""

import numpy as np


def ball_amplitude(u):
    u = np.maximum(np.asarray(u, dtype=float), 1e-6)
    return np.where(u < 0.02, 1 - u * u / 10, 3 * (np.sin(u) - u * np.cos(u)) / u**3)


def spheroid_curve(q, radius, aspect, spread, *, n_mu=80, n_size=161):
    """Spheroid of volume-equivalent radius R, sizes spread by a Gaussian cut at 8 standard deviations; 1 at q = 0."""
    x, w = np.polynomial.legendre.leggauss(n_mu)
    mu, w = (x + 1) / 2, w / 2
    minor = radius * aspect ** (-1 / 3)
    effective = minor * np.sqrt(1 + (aspect**2 - 1) * mu**2)
    if spread == 0:
        lam, weight = np.ones(1), np.ones(1)
    else:
        z = np.linspace(-min(8, 0.999 / spread), min(8, 0.999 / spread), n_size)
        lam, weight = 1 + spread * z, np.exp(-0.5 * z * z)
    weight = weight / weight.sum()
    total = sum(
        g * m**6 * (ball_amplitude(m * q[:, None] * effective) ** 2 @ w) for m, g in zip(lam, weight, strict=True)
    )
    return total / (weight * lam**6).sum()


def body_curve(q, inside, size, steps=72, seed=0):
    """Any body from its pair distances: random voxels of a fine grid, by the autocorrelation (FFT).

    ``inside(x, y, z)`` says what is filled within ``(-size/2, size/2)``; 1 at q = 0.
    """
    edge = size / steps
    axis = (np.arange(steps) - (steps - 1) / 2) * edge
    filled = inside(*np.meshgrid(axis, axis, axis, indexing="ij")).astype(float)
    spectrum = np.abs(np.fft.rfftn(filled, s=(2 * steps,) * 3)) ** 2
    pairs = np.fft.irfftn(spectrum, s=(2 * steps,) * 3)
    lag = np.fft.fftfreq(2 * steps, 1 / (2 * steps)) * edge
    r2 = lag[:, None, None] ** 2 + lag[None, :, None] ** 2 + lag[None, None, :] ** 2
    n = np.round(r2 / edge**2).astype(int).ravel()
    count = np.bincount(n, weights=pairs.ravel())
    used = np.flatnonzero(count > 0.5)
    r = edge * np.sqrt(used)
    ball = ball_amplitude(q * edge * (3 / (4 * np.pi)) ** (1 / 3)) ** 2
    return ball * (np.sinc(np.outer(q, r) / np.pi) @ count[used]) / filled.sum() ** 2


def with_noise(curve, seed, relative=0.02, floor=2e-5):
    """Noise of 2 % and a floor of 2e-5 of the forward intensity; returns intensity and sigma."""
    sigma = np.hypot(relative * curve, floor)
    return curve + sigma * np.random.default_rng(seed).normal(size=len(curve)), sigma
