import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { InvalidInputError } from '../../common/errors';
import { expectClose, loadFixture } from '../../testing';
import { noise } from '../../testing/audio-signals';
import { decodeSound } from '../decode-sound';
import { encodeWav } from '../wav/encode-wav';

const fixture = await loadFixture(new URL('../fixtures/compressed.safetensors', import.meta.url));
const tolerance = fixture.metadata<Record<string, number>>('tolerance');
const names = fixture.names.filter((name) => name.endsWith('.file')).map((name) => name.slice(0, -5));
const fileOf = (name: string) => Uint8Array.from(fixture.values(`${name}.file`).data);
/** One of each kind, long enough to have a middle. */
const KINDS = ['flac.16.stereo', 'mp3.mono', 'vorbis.mono', 'opus.mono'];

// The decoders write their errors to the console too.
beforeEach(() => void vi.spyOn(console, 'error').mockImplementation(() => {}));
afterEach(() => void vi.restoreAllMocks());

describe('decodeSound reads what soundfile reads', () => {
  it.each(names)('%s', async (name) => {
    const { channels, sampleRateHz } = await decodeSound(fileOf(name));
    const expected = fixture.values(`${name}.samples`);
    expect(sampleRateHz).toBe(fixture.values(`${name}.rate`).data[0]);
    expect([channels.length, channels[0]!.length]).toEqual(expected.shape);
    await expectClose(
      channels.flatMap((channel) => [...channel]),
      expected,
      { relativeToRms: tolerance[name.split('.')[0]!]!, label: name },
    );
  });

  it('says how many bits the whole numbers of a file have', async () => {
    const bits = await Promise.all(
      ['flac.8.mono', 'flac.16.mono', 'flac.24.mono', 'mp3.mono', 'opus.short'].map(
        async (name) => (await decodeSound(fileOf(name))).bitsPerSample,
      ),
    );
    expect(bits).toEqual([8, 16, 24, null, null]);
  });

  it('WAV as before, and bytes from the middle of a buffer', async () => {
    const wav = encodeWav([new Float32Array([0.5, -0.5])], 8000);
    expect(await decodeSound(wav)).toMatchObject({ sampleRateHz: 8000, bitsPerSample: null });
    for (const name of KINDS) {
      const file = fileOf(name);
      const shifted = new Uint8Array(file.length + 3);
      shifted.set(file, 3);
      expect(await decodeSound(shifted.subarray(3)), name).toEqual(await decodeSound(file));
    }
  });

  it('an MP3 with a page of text behind its sound', async () => {
    const file = fileOf('mp3.mono');
    const longer = new Uint8Array(file.length + 3000).fill(0x78);
    longer.set(file);
    expect(await decodeSound(longer)).toEqual(await decodeSound(file));
  });

  it('two files at once, each its own', async () => {
    const [a, b] = ['opus.short', 'opus.mono'].map(fileOf);
    const alone = [await decodeSound(a!), await decodeSound(b!)];
    expect(await Promise.all([decodeSound(a!), decodeSound(b!)])).toEqual(alone);
  });
});

describe('decodeSound refuses', () => {
  const text = (s: string) => new TextEncoder().encode(s.padEnd(64, '\0'));
  const garbage = (length: number) => Uint8Array.from(noise(3, length), (x) => Math.abs(x * 1000) & 255);
  /** The first bytes as they are, so that the format is known, and noise after them. */
  const behindHead = (name: string, length: number) => {
    const file = fileOf(name);
    file.set(garbage(file.length - length), length);
    return file;
  };

  it.each<[string, Uint8Array, RegExp]>([
    ['nothing', new Uint8Array(0), /WAV, FLAC, MP3, Ogg Vorbis or Ogg Opus, but an empty file came/],
    ['a web page', text('<!doctype'), /but the bytes 3c 21 64 6f came\. Convert/],
    ['noise', garbage(4000), /but the bytes .* came/],
    ['MP4', text('\0\0\0\x20ftypM4A '), /an MP4 file came/],
    ['AAC', new Uint8Array(64).fill(0xff, 0, 1).fill(0xf1, 1, 2), /an AAC file came/],
    ['AIFF', text('FORM'), /an AIFF file came/],
    ['four bytes of FLAC', text('fLaC').subarray(0, 4), /begins with a description/],
    ['FLAC and then nothing', fileOf('flac.16.mono').subarray(0, 42), /none could be read/],
    ['FLAC and then noise', behindHead('flac.16.stereo', 42), /none could be read/],
    ['a tag and no sound', text('ID3'), /none could be read/],
    ['the start of an MP3 and then noise', behindHead('mp3.mono', 8), /damaged|none could be read/],
    ['Ogg with noise in it', behindHead('vorbis.mono', 200), /checksum of page 2 does not match/],
    [
      'Ogg with another codec',
      oggOf('Speex   '),
      /Vorbis or Opus in them, but this one holds something else/,
    ],
    ['Opus of an unknown kind', oggOf('OpusHead\x01\x03'), /3 channels of family 0/],
  ])('%s', async (_, bytes, message) => {
    const decoded = decodeSound(bytes);
    await expect(decoded).rejects.toThrow(InvalidInputError);
    await expect(decoded).rejects.toThrow(message);
  });

  it.each(KINDS)('%s that is cut off anywhere', async (name) => {
    const file = fileOf(name);
    for (let k = 1; k < 20; k += 1) {
      const cut = decodeSound(file.subarray(0, Math.floor((file.length * k) / 20)));
      await expect(cut, `${k} twentieths`).rejects.toThrow(InvalidInputError);
      await expect(cut, `${k} twentieths`).rejects.toThrow(/get it again|Get it again|came/);
    }
    await expect(decodeSound(file.subarray(0, -1))).rejects.toThrow(/cut off/);
  });

  it.each(KINDS.filter((name) => !name.startsWith('mp3')))('%s with a bit that is another', async (name) => {
    for (const share of [0.3, 0.6, 0.9]) {
      const file = fileOf(name);
      file[Math.floor(file.length * share)]! ^= 4;
      await expect(decodeSound(file), `${share}`).rejects.toThrow(/damaged/);
    }
  });

  it('Ogg with a page left out', async () => {
    const file = fileOf('opus.mono');
    const starts = [...file.keys()].filter(
      (i) => file[i] === 0x4f && file[i + 1] === 0x67 && file[i + 3] === 0x53,
    );
    expect(starts.length).toBeGreaterThan(4);
    const without = new Uint8Array([...file.subarray(0, starts[2]), ...file.subarray(starts[3])]);
    await expect(decodeSound(without)).rejects.toThrow(/page 3 is missing/);
  });

  it.each(KINDS)('%s that is longer than asked for', async (name) => {
    const options = { maxDurationSeconds: 0.2 };
    await expect(decodeSound(fileOf(name), options)).rejects.toThrow(/up to 0\.2 s are read/);
  });

  it('a FLAC that claims 22 hours, before it is read', async () => {
    const file = fileOf('flac.16.mono');
    file[21]! |= 15; // the length's upper four bits
    await expect(decodeSound(file)).rejects.toThrow(/up to 3600 s are read/);
  });

  it('noise behind any head: an error in words, never another, and never without end', async () => {
    for (let seed = 0; seed < 60; seed += 1) {
      const file = fileOf(KINDS[seed % 4]!);
      const places = noise(100 + seed, 30);
      for (const place of places) file[Math.floor(Math.abs(place * 1e6)) % file.length] = (seed * 37) & 255;
      const error = await decodeSound(file).then(
        () => null,
        (thrown: unknown) => thrown,
      );
      if (error !== null) expect(error).toBeInstanceOf(InvalidInputError);
    }
  });
});

/** One whole page whose only packet begins like this. */
function oggOf(packet: string): Uint8Array {
  const body = new TextEncoder().encode(packet.padEnd(32, '\0'));
  const page = new Uint8Array(28 + body.length);
  page.set(new TextEncoder().encode('OggS'));
  page[5] = 6;
  page[26] = 1;
  page[27] = body.length;
  page.set(body, 28);
  let checksum = 0;
  for (const byte of page) {
    checksum ^= byte << 24;
    for (let bit = 0; bit < 8; bit += 1) checksum = (checksum << 1) ^ (checksum < 0 ? 0x04c11db7 : 0);
  }
  new DataView(page.buffer).setUint32(22, checksum >>> 0, true);
  return page;
}
