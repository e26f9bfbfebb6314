import { describe, expect, it } from 'vitest';
import { InvalidConfigError } from '../../common/errors';
import { parseClapConfig } from './config';

/** laion/clap-htsat-unfused: its numbers are the defaults of transformers' classes. */
const UNFUSED = { model_type: 'clap', projection_dim: 512, text_config: {}, audio_config: {} };

describe('parseClapConfig', () => {
  it('reads clap-htsat-unfused', () => {
    const { audio, text, projectionDim } = parseClapConfig(UNFUSED);
    expect(projectionDim).toBe(512);
    expect([audio.specSize, audio.numMelBins, audio.windowSize, audio.patchEmbedsHiddenSize]).toEqual([
      256, 64, 8, 96,
    ]);
    expect(audio.depths).toEqual([2, 2, 6, 2]);
    expect([text.hiddenSize, text.numHiddenLayers, text.vocabSize]).toEqual([768, 12, 50265]);
  });

  it.each<[string, object]>([
    ['model_type', { model_type: 'clip' }],
    ['enable_fusion', { audio_config: { enable_fusion: true } }],
    ['spec_size', { audio_config: { spec_size: 192, window_size: 16 } }],
    ['patch_size', { audio_config: { patch_size: 5 } }],
    ['patch_stride', { audio_config: { patch_stride: [4, 2] } }],
    ['num_attention_heads', { audio_config: { num_attention_heads: [4, 8] } }],
    ['num_attention_heads', { text_config: { num_attention_heads: 7 } }],
    ['projection_hidden_act', { projection_hidden_act: 'mish' }],
  ])('refuses %s of %j by name', (field, changes) => {
    const parse = (): unknown => parseClapConfig({ ...UNFUSED, ...changes });
    expect(parse).toThrow(InvalidConfigError);
    expect(parse).toThrow(`"${field}"`);
  });
});
