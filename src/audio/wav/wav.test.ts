import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InvalidInputError } from '../../common/errors';
import { expectClose, loadFixture } from '../../testing';
import { noise } from '../../testing/audio-signals';
import { decodeWav } from './decode-wav';
import { encodeWav, type WavSampleFormat } from './encode-wav';

const fixture = await loadFixture(new URL('../fixtures/wav.safetensors', import.meta.url));
const fileNames = fixture.names.filter((name) => name.endsWith('.file'));
const fileOf = (name: string) => Uint8Array.from(fixture.values(name).data);

describe('decodeWav reads what soundfile writes', () => {
  it.each(fileNames)('%s', async (name) => {
    const { channels, sampleRateHz } = decodeWav(fileOf(name));
    expect(sampleRateHz).toBe(22_050);
    const expected = fixture.values(name.replace('.file', '.samples'));
    expect(channels.length).toBe(expected.shape[0]);
    await expectClose(
      channels.flatMap((channel) => [...channel]),
      expected,
      { relativeToRms: 0 },
    );
  });

  it('from the middle of a buffer, at any offset', () => {
    const file = fileOf('s24.2.file');
    const shifted = new Uint8Array(file.length + 3);
    shifted.set(file, 3);
    expect(decodeWav(shifted.subarray(3))).toEqual(decodeWav(file));
  });

  it('past chunks of odd length that it does not know', () => {
    const plain = encodeWav([new Float32Array([0.5, -0.5])], 8000);
    const note = new Uint8Array([...'LIST'].map((c) => c.charCodeAt(0)).concat(3, 0, 0, 0, 1, 2, 3, 0));
    const file = new Uint8Array([...plain.subarray(0, 36), ...note, ...plain.subarray(36)]);
    expect([...decodeWav(file).channels[0]!]).toEqual([0.5, -0.5]);
  });

  it('a stream, whose writer could not fill in the lengths', () => {
    const file = encodeWav([new Float32Array([0.5, -0.5])], 8000);
    const view = new DataView(file.buffer);
    view.setUint32(4, 0xffffffff, true);
    view.setUint32(40, 0xffffffff, true);
    expect([...decodeWav(file).channels[0]!]).toEqual([0.5, -0.5]);
  });
});

describe('encodeWav', () => {
  it.each([
    ['pcm16', 2 ** -16],
    ['pcm24', 2 ** -24],
    ['float32', 0],
  ] as const)('%s comes back to within half a step', (format, halfStep) => {
    const channels = [noise(1, 101), noise(2, 101)].map((x) => x.map((v) => v / 5));
    const back = decodeWav(encodeWav(channels, 44_100, format));
    expect(back.sampleRateHz).toBe(44_100);
    channels.forEach((channel, c) => {
      channel.forEach((x, i) => {
        expect(Math.abs(back.channels[c]![i]! - x)).toBeLessThanOrEqual(halfStep * 1.001);
      });
    });
  });

  it('writes the bytes that soundfile writes for the same integers', () => {
    const expected = fixture.values('s16.2.samples');
    const channels = [0, 1].map((c) => Float32Array.from(expected.data.slice(c * 37, (c + 1) * 37)));
    expect([...encodeWav(channels, 22_050)]).toEqual([...fixture.values('s16.2.file').data]);
  });

  it('clips instead of wrapping', () => {
    const loud = new Float32Array([1, 1.5, -1, -1.5]);
    const max16 = 32_767 / 32_768;
    expect([...decodeWav(encodeWav([loud], 16_000)).channels[0]!]).toEqual([max16, max16, -1, -1]);
    expect([...decodeWav(encodeWav([loud], 16_000, 'float32')).channels[0]!]).toEqual([...loud]);
  });

  it('pads odd data to an even length', () => {
    const file = encodeWav([new Float32Array([0.1])], 16_000, 'pcm24');
    expect(file.length).toBe(48);
    expect(new DataView(file.buffer).getUint32(4, true)).toBe(40);
    expect(decodeWav(file).channels[0]!.length).toBe(1);
  });

  it.each<[string, Float32Array[], number, RegExp]>([
    ['no channels', [], 16_000, /1 to 65,535 channels/],
    ['unequal channels', [new Float32Array(1), new Float32Array(2)], 16_000, /one length/],
    ['0 Hz', [new Float32Array(1)], 0, /whole number of Hz/],
    ['NaN', [new Float32Array([Number.NaN])], 16_000, /sample 0 is NaN/],
  ])('refuses %s', (_, channels, rate, message) => {
    expect(() => encodeWav(channels, rate)).toThrow(InvalidInputError);
    expect(() => encodeWav(channels, rate)).toThrow(message);
  });
});

describe('decodeWav refuses', () => {
  const good = (format: WavSampleFormat = 'pcm16') => encodeWav([new Float32Array(8)], 16_000, format);
  const changed = (change: (view: DataView) => void) => {
    const file = good();
    change(new DataView(file.buffer));
    return file;
  };
  const text = (s: string) => new TextEncoder().encode(s.padEnd(64, '\0'));

  it.each<[string, Uint8Array, RegExp]>([
    ['an empty file', new Uint8Array(0), /an empty file came/],
    ['seven bytes', new Uint8Array(7), /a file of 7 bytes came/],
    ['an MP3 with a tag, named .wav', text('ID3'), /an MP3 file came/],
    ['an MP3 without a tag', new Uint8Array(64).fill(0xfb, 1).fill(0xff, 0, 1), /an MP3 file came/],
    ['Ogg', text('OggS'), /an Ogg file came/],
    ['FLAC', text('fLaC'), /a FLAC file came/],
    ['RF64', text('RF64'), /RF64/],
    ['a web page', text('<!do'), /the bytes 3c 21 64 6f came/],
    ['data that claims 4 GB', changed((v) => v.setUint32(40, 0xffffffff, true)), /claims 4294967295 bytes/],
    [
      'a chunk that claims 4 GB',
      changed((v) => v.setUint32(16, 0xfffffff0, true)),
      /"fmt " .* claims 4294967280/,
    ],
    ['a cut file', good().subarray(0, 50), /claims 16 bytes, but 6 are there/],
    ['a header only', good().subarray(0, 36), /ends without its data/],
    ['RIFF and WAVE only', good().subarray(0, 12), /ends without its format/],
    [
      'data before its format',
      new Uint8Array([...good().subarray(0, 12), ...good().subarray(36)]),
      /data came first/,
    ],
    ['a format chunk of 4 bytes', changed((v) => v.setUint32(16, 4, true)), /at least 16 bytes/],
    ['no samples', encodeWav([new Float32Array(0)], 16_000), /at least one sample/],
    ['0 Hz', changed((v) => v.setUint32(24, 0, true)), /whole number of Hz .* but 0 came/],
    ['4 GHz', changed((v) => v.setUint32(24, 4e9, true)), /but 4000000000 came/],
    ['0 channels', changed((v) => v.setUint16(22, 0, true)), /header says 0/],
    ['65,535 channels', changed((v) => v.setUint16(22, 65_535, true)), /header says 65535/],
    ['ADPCM', changed((v) => v.setUint16(20, 2, true)), /compressed \(format tag 0x2\)/],
    ['12 bits', changed((v) => v.setUint16(34, 12, true)), /pcm of 12 bits/],
    ['float of 16 bits', changed((v) => v.setUint16(20, 3, true)), /float of 16 bits/],
    ['a wrong block size', changed((v) => v.setUint16(32, 3, true)), /make 2 bytes a sample, .* says 3/],
  ])('%s', (_, bytes, message) => {
    expect(() => decodeWav(bytes)).toThrow(InvalidInputError);
    expect(() => decodeWav(bytes)).toThrow(message);
  });

  it('a sound that is too long, before it takes memory for it', () => {
    const hour = encodeWav([new Float32Array(3601)], 1, 'pcm16');
    expect(() => decodeWav(hour)).toThrow(/up to 3600 s are read, but this WAV file is 3601 s long/);
    expect(decodeWav(hour, { maxDurationSeconds: 3601 }).channels[0]!.length).toBe(3601);
    expect(() => decodeWav(hour, { maxDurationSeconds: 10 })).toThrow(InvalidInputError);
  });

  it('nothing but InvalidInputError for files cut at any byte', () => {
    const file = fileOf('f32-extensible.2.file');
    for (let length = 0; length < file.length; length += 1) {
      expect(() => decodeWav(file.subarray(0, length))).toThrow(InvalidInputError);
    }
  });

  it('nothing but InvalidInputError for files with damaged bytes', () => {
    const damage = fc.array(fc.tuple(fc.nat(71), fc.nat(255)), { maxLength: 6 });
    fc.assert(
      fc.property(
        fc.constantFrom('s24-extensible.1.file', 'u8.2.file', 'f64.1.file'),
        damage,
        (name, bytes) => {
          const file = fileOf(name);
          for (const [offset, value] of bytes) file[offset] = value;
          try {
            decodeWav(file);
          } catch (error) {
            expect(error).toBeInstanceOf(InvalidInputError);
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  it('one sample is a sound', () => {
    expect(decodeWav(encodeWav([new Float32Array([0.25])], 16_000)).channels[0]).toEqual(
      new Float32Array([0.25]),
    );
  });
});
