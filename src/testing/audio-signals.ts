import { TorchGenerator } from '../common/random';

/** `noise` of tools/fixtures/audio.py: torch.randn of a seed. */
export function noise(seed: number, length: number): Float32Array {
  return new TorchGenerator(seed).randn(length);
}

/** `test_sound` of tools/fixtures/audio.py: a decaying tone in noise with an offset. */
export function testSound(seed: number, length: number, sampleRateHz = 16_000): Float32Array {
  return noise(seed, length).map((x, i) => {
    const t = i / sampleRateHz;
    return 0.4 * Math.sin(2 * Math.PI * 440 * t) * Math.exp(-3 * t) + 0.05 * x + 0.1;
  });
}
