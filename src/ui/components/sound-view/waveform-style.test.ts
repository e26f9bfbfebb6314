// @vitest-environment happy-dom
import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import WaveSurfer from 'wavesurfer.js';
import { WAVESURFER_STYLE_HASH } from '../../../../security-headers';
import { WAVEFORM_HEIGHT_PIXELS } from './waveform';

test('the content security policy names the style sheet that wavesurfer puts into its shadow root', () => {
  const container = document.createElement('div');
  const waveform = WaveSurfer.create({ container, height: WAVEFORM_HEIGHT_PIXELS });
  const style = container.firstElementChild?.shadowRoot?.querySelector('style')?.textContent ?? '';
  const hash = createHash('sha256').update(style).digest('base64');
  expect(WAVESURFER_STYLE_HASH).toBe(`'sha256-${hash}'`);
  waveform.destroy();
});
