"""Do partials survive the codec? Spectral peaks of pitched clips before and after VAE and vocoder.

In every loud frame (window 2048, hop 512) the strongest peaks of the original within 25 dB of its maximum are looked
for in the copy: the distance to the copy's nearest peak, whether it lies within half a semitone (the partial is
visible), and the harmonic-to-noise ratio (energy within +-2 bins of the peaks against the rest) on both sides.
"""
from __future__ import annotations

import numpy as np
from scipy.signal import find_peaks, stft

FFT, HOP, RATE = 2048, 512, 16000
RANGE_DB, PEAKS = 25.0, 8


def _spectra(wave: np.ndarray) -> np.ndarray:
    """[frames, bins] in dB."""
    return 20 * np.log10(np.abs(stft(wave, RATE, nperseg=FFT, noverlap=FFT - HOP)[2].T) + 1e-7)


def _peaks(frame: np.ndarray) -> np.ndarray:
    found, _ = find_peaks(frame, height=frame.max() - RANGE_DB, prominence=6)
    return found[np.argsort(frame[found])[::-1][:PEAKS]]


def _ratio(frame: np.ndarray, peaks: np.ndarray) -> float:
    power, near = 10 ** (frame / 10), np.zeros(len(frame), bool)
    for p in peaks:
        near[max(0, p - 2):p + 3] = True
    return float(10 * np.log10(power[near].sum() / (power[~near].sum() + 1e-12)))


def harmonic_figures(originals: np.ndarray, copies: np.ndarray, names: list[str]) -> dict:
    """Means over clips; a clip counts as having visible partials when at least half of its peaks are found again."""
    errors, shares, ratios, by_class = [], [], [], {}
    for original, copy, name in zip(originals, copies, names):
        a, b = _spectra(original), _spectra(copy[:len(original)])
        loud = np.nonzero(a.max(1) > a.max() - 20)[0]
        distances, ratio_errors = [], []
        for i in loud:
            pa, pb = _peaks(a[i]), _peaks(b[i])
            if len(pa) == 0:
                continue
            ratio_errors.append(abs(_ratio(a[i], pa) - _ratio(b[i], pb if len(pb) else pa)))
            for p in pa:
                distances.append((p, np.abs(pb - p).min() if len(pb) else FFT // 2))
        if not distances:
            continue
        where, off = np.array(distances).T
        found = off <= np.maximum(1, where * 0.03)
        errors.append(off.mean() * RATE / FFT)
        shares.append(found.mean())
        ratios.append(np.mean(ratio_errors))
        by_class.setdefault(name, []).append(round(float(found.mean()), 3))
    return {"pitched_clips": len(shares), "peak_error_hz": round(float(np.mean(errors)), 1),
            "harmonic_to_noise_error_db": round(float(np.mean(ratios)), 2),
            "clips_with_visible_partials": round(float(np.mean(np.array(shares) >= 0.5)), 4),
            "peaks_found_by_class": {k: round(float(np.mean(v)), 3) for k, v in by_class.items()}}
