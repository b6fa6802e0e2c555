"""Hamiltonian Monte Carlo inside a box: leapfrog steps that bounce off the walls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
LogDensity = Callable[[FloatArray], tuple[float, FloatArray]]


@dataclass(frozen=True)
class Chain:
    """Draws of one chain (n, d), their log densities (n,), and the share of accepted proposals."""

    draws: FloatArray
    log_density: FloatArray
    acceptance: float


def bounce(
    theta: FloatArray, velocity: FloatArray, covariance: FloatArray, lower: FloatArray, upper: FloatArray, step: float
) -> None:
    r"""Move in place for one step of time; at a wall the velocity is mirrored in the metric of the covariance.

    .. math:: v' = v - 2 v_k\, \Sigma_{\cdot k} / \Sigma_{kk}

    keeps the kinetic energy v^T Sigma^-1 v / 2 and turns the sign of v_k (Neal, in Handbook of Markov Chain Monte
    Carlo, 2011, section 5.5.1.5, doi:10.1201/b10905).
    """
    left = step
    for _ in range(200):
        with np.errstate(divide="ignore", invalid="ignore"):
            time = np.where(
                velocity > 0, (upper - theta) / velocity, np.where(velocity < 0, (lower - theta) / velocity, np.inf)
            )
        k = int(np.argmin(time))
        if not time[k] < left:
            theta += velocity * left
            return
        hit = max(float(time[k]), 0.0)
        theta += velocity * hit
        theta[k] = upper[k] if velocity[k] > 0 else lower[k]
        left -= hit
        velocity -= 2.0 * velocity[k] * covariance[:, k] / covariance[k, k]
    np.clip(theta, lower, upper, out=theta)


def sample(
    log_density: LogDensity,
    start: FloatArray,
    covariance: FloatArray,
    lower: FloatArray,
    upper: FloatArray,
    *,
    draws: int,
    warmup: int,
    rng: np.random.Generator,
    reach: float = 2.0,
    most_steps: int = 40,
) -> Chain:
    """Sample a density inside a box.

    Parameters
    ----------
    log_density : theta -> (ln p, gradient)
    start : (d,) inside the box
    covariance : (d, d) rough covariance of the density; the inverse mass matrix
    draws, warmup : kept draws, and steps before them in which the step length is adapted to 80 % acceptance
    reach : length of a trajectory in units of the covariance's standard deviations
    most_steps : of one trajectory

    References
    ----------
    Duane et al., Phys. Lett. B 195, 216 (1987), doi:10.1016/0370-2693(87)91197-X; Hoffman & Gelman, J. Mach. Learn.
    Res. 15, 1593 (2014) for the adaptation of the step.
    """
    d = len(start)
    root = np.linalg.cholesky(covariance)
    inverse_root = np.linalg.inv(root)
    theta, (logp, grad) = start.copy(), log_density(start)
    log_step, log_mean, surplus = np.log(0.3), np.log(0.3), 0.0
    kept, kept_logp, accepted = np.empty((draws, d)), np.empty(draws), 0.0
    for i in range(warmup + draws):
        step = float(np.exp(log_step if i < warmup else log_mean)) * rng.uniform(0.85, 1.15)
        count = max(1, min(most_steps, int(np.ceil(reach * rng.uniform(0.6, 1.4) / step))))
        velocity = root @ rng.standard_normal(d)
        new, new_grad, new_logp = theta.copy(), grad, logp
        energy = logp - 0.5 * float(np.sum((inverse_root @ velocity) ** 2))
        for _ in range(count):
            velocity = velocity + 0.5 * step * (covariance @ new_grad)
            bounce(new, velocity, covariance, lower, upper, step)
            new_logp, new_grad = log_density(new)
            velocity = velocity + 0.5 * step * (covariance @ new_grad)
        new_energy = new_logp - 0.5 * float(np.sum((inverse_root @ velocity) ** 2))
        chance = float(np.exp(min(0.0, new_energy - energy))) if np.isfinite(new_energy) else 0.0
        if rng.uniform() < chance:
            theta, logp, grad = new, new_logp, new_grad
        if i < warmup:
            t = i + 1
            surplus = (1 - 1 / (t + 10)) * surplus + (0.8 - chance) / (t + 10)
            log_step = np.log(0.3) - np.sqrt(t) / 0.05 * surplus * 0.2
            log_step = float(np.clip(log_step, np.log(1e-3), np.log(1.2)))
            log_mean = t**-0.75 * log_step + (1 - t**-0.75) * log_mean
        else:
            kept[i - warmup], kept_logp[i - warmup] = theta, logp
            accepted += chance
    return Chain(draws=kept, log_density=kept_logp, acceptance=accepted / max(1, draws))


def split_r_hat(chains: FloatArray) -> FloatArray:
    """Potential scale reduction of split chains, (n_chain, n, d) -> (d,); Gelman et al., Bayesian Data Analysis, 2013."""
    n = chains.shape[1] // 2
    halves = np.concatenate([chains[:, :n], chains[:, n : 2 * n]])
    within = halves.var(axis=1, ddof=1).mean(axis=0)
    between = halves.mean(axis=1).var(axis=0, ddof=1)
    safe = np.where(within > 0, within, 1.0)
    return np.where(within > 0, np.sqrt((n - 1) / n + between / safe), 1.0)


def effective_size(chains: FloatArray) -> FloatArray:
    """Effective number of independent draws, (n_chain, n, d) -> (d,), by Geyer's initial positive sequence."""
    n_chain, n, d = chains.shape
    centred = chains - chains.mean(axis=1, keepdims=True)
    size = 1 << (2 * n - 1).bit_length()
    spectrum = np.fft.rfft(centred, size, axis=1)
    acov = np.fft.irfft(np.abs(spectrum) ** 2, size, axis=1)[:, :n].mean(axis=0) / n
    between = chains.mean(axis=1).var(axis=0, ddof=1) if n_chain > 1 else np.zeros(d)
    total = acov[0] * n / max(1, n - 1) * (n - 1) / n + between
    out = np.empty(d)
    for k in range(d):
        if total[k] <= 0:
            out[k] = n_chain * n
            continue
        rho = 1.0 - (acov[0, k] - acov[:, k]) / total[k]
        pairs = rho[: n - n % 2].reshape(-1, 2).sum(axis=1)
        negative = np.flatnonzero(pairs < 0)
        stop = int(negative[0]) if negative.size else len(pairs)
        tau = max(2.0 * float(np.minimum.accumulate(pairs[:stop]).sum()) - 1.0, 1.0 / np.log10(max(n_chain * n, 11)))
        out[k] = n_chain * n / tau
    return out
