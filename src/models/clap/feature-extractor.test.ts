import { describe, expect, it } from 'vitest';
import { InvalidConfigError, InvalidInputError } from '../../common/errors';
import { expectClose, loadFixture } from '../../testing';
import { ClapFeatureExtractor, parseClapFeatureExtractorConfig } from './feature-extractor';

const fixture = await loadFixture(new URL('./fixtures/features.safetensors', import.meta.url));
const cases = fixture.metadata<Record<string, { config: Record<string, unknown>; place: number }>>('cases');

describe('ClapFeatureExtractor', () => {
  it.each(Object.entries(cases))('equals transformers: %s', async (name, { config, place }) => {
    const extractor = new ClapFeatureExtractor(parseClapFeatureExtractorConfig(config));
    const wave = Float32Array.from(fixture.values(`${name}.wave`).data);
    const { data, frames, melBins } = extractor.extract(wave, extractor.config.sampleRateHz, place);
    const expected = fixture.values(`${name}.features`);
    await expectClose({ data, shape: [frames, melBins] }, expected, { relativeToRms: 1e-4 });
  });

  it('brings a sound to its own rate', () => {
    const extractor = new ClapFeatureExtractor(parseClapFeatureExtractorConfig(cases.repeatpad!.config));
    const tone = (rate: number): Float32Array =>
      Float32Array.from({ length: rate }, (_, i) => 0.5 * Math.sin((2 * Math.PI * 1000 * i) / rate));
    const [at48, at16] = [extractor.extract(tone(48_000), 48_000), extractor.extract(tone(16_000), 16_000)];
    expect(at16.frames).toBe(at48.frames);
    const peak = (data: Float32Array): number => data.indexOf(Math.max(...data.subarray(50 * 64, 51 * 64)));
    expect(peak(at16.data)).toBe(peak(at48.data));
    expect(Math.abs(at16.data[peak(at16.data)]! - at48.data[peak(at48.data)]!)).toBeLessThan(0.1);
  });

  it.each([
    ['no samples', new Float32Array(0)],
    ['NaN', Float32Array.of(0, Number.NaN)],
  ])('refuses a sound of %s', (_, wave) => {
    const extractor = new ClapFeatureExtractor(parseClapFeatureExtractorConfig({}));
    expect(() => extractor.extract(wave, 48_000)).toThrow(InvalidInputError);
  });

  it('refuses feature fusion by name', () => {
    expect(() => parseClapFeatureExtractorConfig({ truncation: 'fusion' })).toThrow(InvalidConfigError);
  });
});
