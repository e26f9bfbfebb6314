"""Procedural sounds: everyday sources that no freely licensed sound font holds, made from oscillators and noise.

Every function takes a numpy Generator and returns a float waveform at 16 kHz; all parameters are drawn from the
generator, so a seed is a "recording". The output of this file carries no third-party licence.

Steady tones lie on multiples of GRID. A convolutional vocoder with a hop of 160 samples turns a constant mel into a
wave that repeats every 160 samples, that is, into multiples of 100 Hz and nothing else; larger ones learn over days
to read phases from the faint beating of the mel, this one cannot. Gliding sounds (voices, sirens, chirps) are free.
"""
from __future__ import annotations

import numpy as np
from scipy.signal import butter, lfilter, sosfilt

RATE = 16000
GRID = 100.0


def on_grid(frequency: float) -> float:
    return max(1, round(frequency / GRID)) * GRID


def seconds(duration: float) -> np.ndarray:
    return np.arange(int(duration * RATE)) / RATE


def band(x: np.ndarray, low: float, high: float, order: int = 2) -> np.ndarray:
    """Band-, low- or high-pass (low <= 0 or high >= Nyquist leaves that side open)."""
    if low <= 0:
        return sosfilt(butter(order, high, "low", fs=RATE, output="sos"), x)
    if high >= RATE / 2:
        return sosfilt(butter(order, low, "high", fs=RATE, output="sos"), x)
    return sosfilt(butter(order, [low, high], "band", fs=RATE, output="sos"), x)


def resonate(x: np.ndarray, frequency: float, bandwidth: float) -> np.ndarray:
    """Two-pole resonator: one formant."""
    r = np.exp(-np.pi * bandwidth / RATE)
    return lfilter([1 - r], [1, -2 * r * np.cos(2 * np.pi * frequency / RATE), r * r], x)


def slow_noise(rng: np.random.Generator, n: int, cutoff: float) -> np.ndarray:
    """Smooth random curve with unit standard deviation."""
    knots = max(4, int(n / RATE * cutoff * 2) + 2)
    curve = np.interp(np.arange(n), np.linspace(0, n, knots), rng.standard_normal(knots))
    return curve / (curve.std() + 1e-6)


def harmonics(f0: np.ndarray, amplitudes: np.ndarray) -> np.ndarray:
    """Sum of partials of a gliding fundamental, each muted above Nyquist."""
    phase = 2 * np.pi * np.cumsum(f0) / RATE
    out = np.zeros_like(phase)
    for k, a in enumerate(amplitudes, 1):
        out += a * np.sin(k * phase) * (f0 * k < 7600)
    return out


def cat(rng: np.random.Generator) -> np.ndarray:
    """Meow: a rising and falling voice through formants that open and close."""
    t = seconds(rng.uniform(0.55, 0.95))
    u = t / t[-1]
    base = rng.uniform(380, 480)
    f0 = base * (1 + rng.uniform(0.6, 0.9) * np.sin(np.pi * u ** 0.6)) * (1 - 0.2 * u)
    f0 *= 1 + 0.012 * np.sin(2 * np.pi * 24 * t)
    voice = harmonics(f0, 1 / np.arange(1, 18) ** 0.5)
    opening = np.sin(np.pi * u ** 0.8)
    closed = resonate(voice, 700, 250) * 6
    opened = resonate(voice, 1250, 250) * 6 + resonate(voice, 2600, 400) * 5
    y = closed * (1 - opening) * 0.6 + opened * opening
    return y * np.minimum(1, u / 0.1) * np.minimum(1, (1 - u) / 0.3)


def crickets(rng: np.random.Generator) -> np.ndarray:
    """Two insects, each chirping trains of short high tone pulses."""
    n = int(10.6 * RATE)
    y = np.zeros(n)
    for gain in (1.0, 0.25):
        tone, pulses = on_grid(rng.uniform(4300, 5200)), int(rng.integers(3, 5))
        period, pulse = rng.uniform(0.36, 0.5), rng.uniform(0.036, 0.046)
        start = rng.uniform(0, 0.3)
        p = seconds(pulse * 0.6)
        grain = np.sin(2 * np.pi * tone * p) * np.hanning(len(p))
        while start < 10.4:
            for k in range(pulses):
                i = int((start + k * pulse) * RATE)
                if i + len(grain) < n:
                    y[i:i + len(grain)] += gain * grain
            start += period * rng.uniform(0.97, 1.03)
    return y + 0.002 * rng.standard_normal(n)


def drip(rng: np.random.Generator) -> np.ndarray:
    """One water drop: a bubble's rising, quickly damped sine."""
    t = seconds(rng.uniform(0.14, 0.22))
    f = rng.uniform(700, 1500) * (1 + rng.uniform(0.25, 0.6) * np.minimum(1, t / 0.05))
    y = np.sin(2 * np.pi * np.cumsum(f) / RATE) * np.exp(-t * rng.uniform(28, 45))
    click = band(rng.standard_normal(len(t)), 1500, 7900) * np.exp(-t * 700) * 0.25
    return np.concatenate([click[:160], (y + click * 0.3)])


def fire(rng: np.random.Generator) -> np.ndarray:
    """Crackling: sparse sharp pops of random colour over a low rumble."""
    n = int(10.6 * RATE)
    y = band(rng.standard_normal(n), 60, rng.uniform(350, 600)) * (0.10 + 0.02 * slow_noise(rng, n, 3))
    for _ in range(int(rng.uniform(16, 26) * 10.6)):
        length = int(rng.uniform(0.004, 0.016) * RATE)
        i = rng.integers(0, n - length)
        low = rng.uniform(900, 3200)
        pop = rng.standard_normal(length) * np.exp(-np.arange(length) / (length / 4))
        y[i:i + length] += band(pop, low, min(7800, low * 2.5)) * rng.exponential(0.55)
    return y


def rain(rng: np.random.Generator) -> np.ndarray:
    """Steady hiss with a fine grain of drops."""
    n = int(10.6 * RATE)
    hiss = band(rng.standard_normal(n), rng.uniform(900, 1500), 7800) * 0.25
    drops = rng.standard_normal(n) * (rng.random(n) < rng.uniform(0.006, 0.012)) * 3
    return hiss + band(drops, rng.uniform(1800, 2600), 6500)


def wind(rng: np.random.Generator) -> np.ndarray:
    """Noise through a slowly wandering resonance: gusts and a faint howl."""
    n = int(10.6 * RATE)
    noise = rng.standard_normal(n)
    gust = np.clip(0.6 + 0.3 * slow_noise(rng, n, 0.5), 0.1, 1.5)
    centre = rng.uniform(350, 600)
    out = band(noise, 40, 400) * 0.8
    weights = np.clip(slow_noise(rng, n, 0.6), -1.5, 1.5)
    for k, f in enumerate((centre, centre * 1.35, centre * 1.8)):
        out += resonate(noise, f, 50) * 10 * np.exp(-(weights - (k - 1)) ** 2)
    return out * gust


def thunder(rng: np.random.Generator) -> np.ndarray:
    """A tearing crack, then a rumble that rolls on in bursts and dies away."""
    t = seconds(rng.uniform(3.0, 4.2))
    n = len(t)
    y = band(rng.standard_normal(n), 30, rng.uniform(130, 190), 4) * 1.4
    rolls = np.exp(-t * rng.uniform(0.7, 1.0)) * np.clip(1 + 0.5 * slow_noise(rng, n, 4), 0.15, 2.5)
    y *= rolls * np.minimum(1, t / 0.05)
    for _ in range(int(rng.integers(3, 7))):
        i = int(rng.uniform(0, 0.25) * RATE)
        crack = rng.standard_normal(n - i) * np.exp(-t[:n - i] * rng.uniform(14, 30))
        y[i:] += band(crack, 150, rng.uniform(2500, 5000)) * rng.uniform(0.3, 0.7)
    return y * np.minimum(1, (t[-1] - t) / 0.4)


def door_slam(rng: np.random.Generator) -> np.ndarray:
    """The latch clicks, the door hits its frame, the panel booms once and the latch rattles."""
    t = seconds(rng.uniform(0.42, 0.55))
    y = np.zeros(len(t))
    hit = int(rng.uniform(0.05, 0.08) * RATE)
    after = t[:len(t) - hit]
    y[hit:] += band(rng.standard_normal(len(after)), 90, 900) * np.exp(-after * 45) * 2.2
    for f in rng.uniform(80, 240, 3):
        y[hit:] += np.sin(2 * np.pi * f * after) * np.exp(-after * rng.uniform(22, 30)) * 0.8
    for start, gain in ((0.0, 0.35), (hit / RATE, 1.0), (hit / RATE + rng.uniform(0.09, 0.13), 0.4)):
        i = int(start * RATE)
        click = rng.standard_normal(len(t) - i) * np.exp(-t[:len(t) - i] * 260)
        y[i:] += gain * band(click, 1200, 6500)
    return y


def train(rng: np.random.Generator) -> np.ndarray:
    """Wheels over rail joints, two axles at a time, above a rolling rumble; a whistle of three steady tones."""
    n = int(10.6 * RATE)
    y = band(rng.standard_normal(n), 50, 420) * 0.35
    hiss = band(rng.standard_normal(n), 1500, 5000) * 0.03
    beat, axle = rng.uniform(0.52, 0.7), rng.uniform(0.1, 0.14)
    t = seconds(0.09)
    start = rng.uniform(0, 0.3)
    while start < 10.3:
        for delay, gain in ((0, 1), (axle, 0.8)):
            i = int((start + delay) * RATE)
            clack = band(rng.standard_normal(len(t)), 500, 3200) * np.exp(-t * 55)
            y[i:i + len(t)] += gain * 1.3 * clack[:max(0, n - i)]
        start += beat
    whistle = np.zeros(n)
    root = (300.0, 400.0)[rng.integers(2)]
    at = rng.uniform(0.3, 1.5)
    while at < 9.5:
        u = seconds(rng.uniform(0.5, 0.9))
        blow = sum(harmonics(np.full(len(u), f), 1 / np.arange(1, 8) ** 0.9) for f in (root, root + 100, root + 200))
        i = int(at * RATE)
        whistle[i:i + len(u)] += (blow * np.minimum(1, u / 0.06) * np.minimum(1, (u[-1] - u) / 0.1))[:max(0, n - i)]
        at += rng.uniform(1.6, 2.6)
    return y + hiss + 0.12 * whistle


def laser(rng: np.random.Generator) -> np.ndarray:
    """A buzzing tone that falls three octaves in a fraction of a second."""
    t = seconds(rng.uniform(0.24, 0.38))
    u = t / t[-1]
    f0 = rng.uniform(2200, 3200) * 2 ** (-rng.uniform(2.6, 3.3) * u ** 0.7)
    y = harmonics(f0, 1 / np.arange(1, 9) ** 0.7)
    return y * np.minimum(1, t / 0.004) * (1 - 0.6 * u) * np.minimum(1, (1 - u) / 0.1)


def car_horn(rng: np.random.Generator) -> np.ndarray:
    """Two buzzing tones a third apart, held."""
    t = seconds(rng.uniform(0.35, 0.9))
    low, high = ((300, 400), (400, 500), (400, 600), (300, 500))[rng.integers(4)]
    amplitudes = 1 / np.arange(1, 18) ** 0.55
    y = harmonics(np.full(len(t), low), amplitudes) + harmonics(np.full(len(t), high), amplitudes)
    return band(y, 250, 5200) * np.minimum(1, t / 0.015) * np.minimum(1, (t[-1] - t) / 0.03)


def siren_wail(rng: np.random.Generator) -> np.ndarray:
    """Rising and falling emergency siren."""
    t = seconds(10.6)
    period = rng.uniform(1.4, 2.6)
    sweep = 0.5 - 0.5 * np.cos(2 * np.pi * t / period + rng.uniform(0, 6))
    f0 = rng.uniform(480, 620) * (1 + rng.uniform(0.9, 1.2) * sweep)
    return harmonics(f0, 1 / np.arange(1, 9) ** 1.1)


def siren_two_tone(rng: np.random.Generator) -> np.ndarray:
    """European siren: two steady tones that take turns."""
    t = seconds(10.6)
    low, high = ((400, 500), (400, 600), (500, 700))[rng.integers(3)]
    first = (t / rng.uniform(0.9, 1.2) + rng.uniform(0, 1)) % 1 < 0.5
    amplitudes = 1 / np.arange(1, 13) ** 0.8
    return np.where(first, harmonics(np.full(len(t), low), amplitudes), harmonics(np.full(len(t), high), amplitudes))


def bell_phone(rng: np.random.Generator) -> np.ndarray:
    """An old telephone's ring: two small bells struck twenty times a second."""
    t = seconds(rng.uniform(0.9, 1.3))
    f = rng.uniform(1300, 1600)
    tremolo = rng.uniform(18, 23)
    y = np.zeros(len(t))
    for k, bell in enumerate((f, f * 1.21)):
        strike = (t * tremolo + 0.5 * k) % 1
        envelope = np.exp(-strike * 2.2)
        for ratio, gain in ((1, 1), (2.76, 0.5), (4.1, 0.2)):
            if bell * ratio < 7500:
                y += gain * envelope * np.sin(2 * np.pi * on_grid(bell * ratio) * t + k)
    return y * np.minimum(1, (t[-1] - t) / 0.12)


def trill_phone(rng: np.random.Generator) -> np.ndarray:
    """An electronic telephone: two tones that alternate quickly."""
    t = seconds(rng.uniform(0.8, 1.2))
    low = on_grid(rng.uniform(900, 1300))
    switch = (t * rng.uniform(11, 15)) % 1 < 0.5
    y = np.where(switch, harmonics(np.full(len(t), low), 1 / np.arange(1, 6) ** 1.2),
                 harmonics(np.full(len(t), low + 300.0), 1 / np.arange(1, 6) ** 1.2))
    return y * np.minimum(1, t / 0.01) * np.minimum(1, (t[-1] - t) / 0.05)


def church_bell(rng: np.random.Generator) -> np.ndarray:
    """One stroke: hum, prime, tierce, quint, nominal and above, the higher the shorter."""
    t = seconds(2.6)
    prime = on_grid(rng.uniform(350, 950))
    y = np.zeros(len(t))
    for ratio, gain, decay in ((0.5, 0.4, 0.9), (1, 0.8, 1.3), (1.2, 0.9, 1.6), (1.5, 0.4, 2.0), (2, 1.0, 2.2),
                               (2.5, 0.45, 3.2), (3, 0.5, 3.6), (4, 0.4, 5), (5.3, 0.25, 7), (6.7, 0.2, 10)):
        f = on_grid(prime * ratio)
        if f < 7500:
            y += gain * np.sin(2 * np.pi * f * t + rng.uniform(0, 6)) * np.exp(-t * decay * rng.uniform(0.8, 1.2))
    strike = band(rng.standard_normal(len(t)), 1000, 6000) * np.exp(-t * 120) * 0.5
    return (y + strike) * np.minimum(1, (t[-1] - t) / 0.3)


def wind_chimes(rng: np.random.Generator) -> np.ndarray:
    """A handful of small tubes struck at random."""
    n = int(10.6 * RATE)
    y = np.zeros(n)
    tubes = 100.0 * rng.choice(np.arange(9, 24), 5, replace=False)
    at, t = 0.02, seconds(2.2)
    while at < 10.3:
        f = tubes[rng.integers(5)]
        grain = np.zeros(len(t))
        for ratio, gain, decay in ((1, 1, 1.6), (2.76, 0.5, 3), (5.4, 0.15, 8)):
            if on_grid(f * ratio) < 7500:
                grain += gain * np.sin(2 * np.pi * on_grid(f * ratio) * t) * np.exp(-t * decay)
        i = int(at * RATE)
        m = min(len(t), n - i)
        y[i:i + m] += grain[:m] * rng.uniform(0.3, 1)
        at += rng.exponential(0.2) + 0.08
    return y


def clock(rng: np.random.Generator) -> np.ndarray:
    """Tick and tock, alternating, a steady beat."""
    n = int(10.6 * RATE)
    y = np.zeros(n)
    beat = rng.uniform(0.42, 0.55)
    pair = on_grid(rng.uniform(2300, 3000)), on_grid(rng.uniform(1700, 2200))
    t = seconds(0.05)
    for k in range(int(10.4 / beat)):
        f = pair[k % 2]
        grain = (np.sin(2 * np.pi * f * t) + 0.6 * np.sin(2 * np.pi * on_grid(f * 1.83) * t)) * np.exp(-t * 150)
        grain = grain + rng.standard_normal(len(t)) * np.exp(-t * 900) * 0.6
        i = int(k * beat * RATE)
        y[i:i + len(grain)] += grain
    return y + 1e-3 * rng.standard_normal(n)


def alarm(rng: np.random.Generator) -> np.ndarray:
    """Electronic alarm: groups of four short beeps."""
    n = int(10.6 * RATE)
    y = np.zeros(n)
    f, on, off = on_grid(rng.uniform(1800, 2400)), rng.uniform(0.07, 0.1), rng.uniform(0.05, 0.07)
    rest, start = rng.uniform(0.25, 0.4), 0.02
    t = seconds(on)
    beep = np.sign(np.sin(2 * np.pi * f * t)) * 0.5 + np.sin(2 * np.pi * f * t)
    beep *= np.minimum(1, t / 0.004) * np.minimum(1, (t[-1] - t) / 0.004)
    while start < 10.0:
        for k in range(4):
            i = int((start + k * (on + off)) * RATE)
            if i + len(beep) < n:
                y[i:i + len(beep)] += beep
        start += 4 * (on + off) + rest
    return y


def typing(rng: np.random.Generator) -> np.ndarray:
    """Keyboard: irregular double clicks, a softer thud on each."""
    n = int(10.6 * RATE)
    y = np.zeros(n)
    start = 0.02
    colour = rng.uniform(2600, 4200)
    t = seconds(0.045)
    while start < 10.3:
        gain = rng.uniform(0.5, 1)
        key = band(rng.standard_normal(len(t)), colour * rng.uniform(0.8, 1), 7800) * np.exp(-t * 350)
        key += np.sin(2 * np.pi * rng.uniform(220, 340) * t) * np.exp(-t * 120) * 0.35
        for delay, g in ((0, 1), (rng.uniform(0.06, 0.08), 0.5)):
            i = int((start + delay) * RATE)
            if i + len(key) < n:
                y[i:i + len(key)] += gain * g * key
        start += rng.uniform(0.09, 0.2) if rng.random() < 0.85 else rng.uniform(0.25, 0.4)
    return y + 5e-4 * rng.standard_normal(n)


def heartbeat(rng: np.random.Generator) -> np.ndarray:
    """Lub and dub: two low thumps."""
    t = seconds(0.2)
    f = rng.uniform(55, 80)
    lub = np.sin(2 * np.pi * f * t * (1 - t)) * np.exp(-t * 22) + 0.4 * np.sin(2 * np.pi * f * 2.1 * t) * np.exp(-t * 35)
    y = np.zeros(int(0.62 * RATE))
    y[:len(lub)] += lub
    second = int(rng.uniform(0.24, 0.32) * RATE)
    y[second:second + len(lub)] += 0.7 * lub
    return y * np.minimum(1, np.arange(len(y)) / 80)


PROCEDURAL = {f.__name__: f for f in (
    cat, crickets, drip, fire, rain, wind, thunder, door_slam, train, laser, car_horn, siren_wail, siren_two_tone,
    bell_phone, trill_phone,
    church_bell, wind_chimes, clock, alarm, typing, heartbeat)}
