import { describe, expect, it } from 'vitest';
import { InvalidInputError } from '../../common/errors';
import { readBlob } from '../../testing';
import { decodeWav } from './decode-wav';
import { encodeWav } from './encode-wav';
import { readWavInfo } from './wav-info';

const file = await readBlob(new URL('../fixtures/wav-info.wav', import.meta.url));
const theirs = new Uint8Array(await file.arrayBuffer());
const SAMPLES = Float32Array.of(0.25, -0.5, 0.125);
const TEXTS = {
  INAM: 'Glöckchen, dann Regen',
  ISFT: 'libsndfile',
  ICMT: '{"odd": "länge"}',
  IART: 'x',
};

describe('Texts of WAV files', () => {
  it('are read as libsndfile wrote them', () => {
    expect(readWavInfo(theirs)).toEqual(TEXTS);
  });

  it('are written as libsndfile writes them, byte for byte', () => {
    const ours = encodeWav([SAMPLES], 16_000, 'pcm16', TEXTS);
    expect([...ours]).toEqual([...theirs]);
    expect(decodeWav(ours).channels[0]).toEqual(SAMPLES);
  });

  it('are read from behind the data too', () => {
    const plain = encodeWav([Float32Array.of(0.5)], 8000, 'pcm24');
    const list = theirs.subarray(36, 36 + 8 + 92);
    expect(readWavInfo(new Uint8Array([...plain, ...list]))).toEqual(TEXTS);
  });

  it('are none where there are none, and in files cut anywhere what is whole', () => {
    expect(readWavInfo(encodeWav([SAMPLES], 8000))).toEqual({});
    expect(readWavInfo(new Uint8Array(0))).toEqual({});
    for (let length = 0; length < theirs.length; length += 1) {
      for (const [name, text] of Object.entries(readWavInfo(theirs.subarray(0, length)))) {
        expect(TEXTS[name as keyof typeof TEXTS].startsWith(text.replace(/\ufffd$/, ''))).toBe(true);
      }
    }
  });

  it('have names of four letters', () => {
    expect(() => encodeWav([SAMPLES], 8000, 'pcm16', { comment: 'x' })).toThrow(InvalidInputError);
  });
});
