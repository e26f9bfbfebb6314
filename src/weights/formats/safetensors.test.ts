import { describe, expect, it } from 'vitest';
import { WeightsFormatError } from '../../common/errors';
import { openSafetensors } from './safetensors';

const LABEL = 'unet/model.safetensors';

/** A file of this header text (or bytes) and so many data bytes; `length` overrides the declared header length. */
function file(header: string | Uint8Array<ArrayBuffer>, dataBytes = 0, length?: bigint): Blob {
  const bytes = typeof header === 'string' ? new TextEncoder().encode(header) : header;
  const prefix = new DataView(new ArrayBuffer(8));
  prefix.setBigUint64(0, length ?? BigInt(bytes.byteLength), true);
  return new Blob([prefix.buffer, bytes, new Uint8Array(dataBytes).fill(1)]);
}

const tensor = (shape: unknown, offsets: unknown, dtype: unknown = 'F32'): object => ({
  dtype,
  shape,
  data_offsets: offsets,
});

const headerOf = (tensors: object): string => JSON.stringify(tensors);

async function refusal(blob: Blob): Promise<string> {
  const error: unknown = await openSafetensors(blob, LABEL).then(
    () => 'it opened',
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(WeightsFormatError);
  return error instanceof Error ? error.message : '';
}

describe('a damaged or hostile file is refused by name, with what was expected and what came', () => {
  const one = headerOf({ a: tensor([2], [0, 8]) });
  const cases: readonly [title: string, blob: () => Blob, message: RegExp][] = [
    ['empty', () => new Blob([]), /begins with 8 bytes.*got a file of 0 bytes.*Download it again/],
    ['seven bytes', () => new Blob([new Uint8Array(7)]), /got a file of 7 bytes/],
    [
      'header length 2^63',
      () => file(one, 8, 2n ** 63n),
      /at most 16777216 bytes, the file says 9223372036854775808/,
    ],
    ['header over 16 MB', () => file(one, 8, 16_777_217n), /at most 16777216 bytes, the file says 16777217/],
    [
      'header longer than the file',
      () => file(one, 8, 1000n),
      /header of 1000 bytes, the file has \d+ bytes.*cut short/,
    ],
    [
      'a web page',
      () => new Blob(['<!doctype html><html><body>404</body></html>']),
      /not a safetensors file \(a web page/,
    ],
    ['not UTF-8', () => file(new Uint8Array([0x7b, 0xff, 0xfe, 0x7d])), /header in UTF-8/],
    ['only a brace', () => file('{'), /header in JSON, got "\{"/],
    ['no header', () => file(''), /header in JSON, got ""/],
    ['a list', () => file('[]'), /JSON object as header, got \[\]/],
    ['null', () => file('null'), /JSON object as header, got null/],
    ['a string as tensor', () => file('{"a":"b"}'), /"a" to have dtype, shape and data_offsets, got "b"/],
    [
      'two tensors on one range',
      () => file(headerOf({ a: tensor([2], [0, 8]), b: tensor([2], [0, 8]) }), 8),
      /"b" to begin at byte 8.*overlaps/,
    ],
    [
      'overlap by half',
      () => file(headerOf({ a: tensor([2], [0, 8]), b: tensor([2], [4, 12]) }), 12),
      /"b".*begins at 4 and overlaps/,
    ],
    [
      'a gap',
      () => file(headerOf({ a: tensor([2], [0, 8]), b: tensor([2], [12, 20]) }), 20),
      /"b" to begin at byte 8.*leaves a gap/,
    ],
    [
      'a gap at the start',
      () => file(headerOf({ a: tensor([2], [4, 12]) }), 12),
      /"a" to begin at byte 0.*leaves a gap/,
    ],
    ['a tail', () => file(one, 12), /expected 8 bytes of data after the header, the file has 12/],
    [
      'short by two bytes',
      () => file(one, 6),
      /expected 8 bytes of data after the header, the file has 6.*cut short/,
    ],
    [
      'reversed offsets',
      () => file(headerOf({ a: tensor([2], [8, 0]) }), 8),
      /begin <= end for "a", got \[8, 0\]/,
    ],
    [
      'negative offsets',
      () => file(headerOf({ a: tensor([2], [-8, 0]) }), 8),
      /data_offsets of "a".*got \[-8,0\]/,
    ],
    [
      'fractional offsets',
      () => file(headerOf({ a: tensor([2], [0, 7.5]) }), 8),
      /whole numbers.*got \[0,7.5\]/,
    ],
    [
      'three offsets',
      () => file(headerOf({ a: tensor([2], [0, 4, 8]) }), 8),
      /\[begin, end\].*got \[0, 4, 8\]/,
    ],
    ['offsets as text', () => file(headerOf({ a: tensor([2], ['0', '8']) }), 8), /whole numbers/],
    [
      'a product over 2^53',
      () => file(headerOf({ a: tensor([2 ** 30, 2 ** 30], [0, 8]) }), 8),
      /bytes for "a" \(F32 \[1073741824, 1073741824\]\)/,
    ],
    [
      'a product that wraps to the size',
      () => file(headerOf({ a: tensor([2 ** 32, 2 ** 32], [0, 0]) })),
      /for "a"/,
    ],
    [
      'a size over 2^53',
      () => file(`{"a":{"dtype":"F32","shape":[1e300],"data_offsets":[0,8]}}`, 8),
      /shape of "a".*whole numbers/,
    ],
    [
      'size is not shape times dtype',
      () => file(headerOf({ a: tensor([3], [0, 8]) }), 8),
      /expected 12 bytes for "a" \(F32 \[3\]\), its data_offsets span 8/,
    ],
    [
      'unknown dtype',
      () => file(headerOf({ a: tensor([2], [0, 2], 'F8_E4M3') }), 2),
      /dtype of "a" to be one of .*got "F8_E4M3".*Convert/,
    ],
    [
      'dtype of the prototype',
      () => file(headerOf({ a: tensor([2], [0, 2], 'constructor') }), 2),
      /got "constructor"/,
    ],
    ['no dtype', () => file('{"a":{"shape":[2],"data_offsets":[0,8]}}', 8), /dtype of "a"/],
    [
      'duplicate names',
      () =>
        file(
          '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}',
          8,
        ),
      /each name once, got "a" twice/,
    ],
    [
      'duplicate names, one escaped',
      () =>
        file(
          '{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"\\u0061":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}',
          8,
        ),
      /got "a" twice/,
    ],
    [
      'duplicate fields',
      () => file('{"a":{"dtype":"F32","shape":[1],"shape":[2],"data_offsets":[0,8]}}', 8),
      /got "shape" twice/,
    ],
    ['metadata that is not text', () => file('{"__metadata__":{"a":1}}'), /"__metadata__" to hold strings/],
    ['a list as metadata', () => file('{"__metadata__":[]}'), /"__metadata__" to hold strings/],
  ];

  it.each(cases)('%s', async (_, blob, message) => {
    const text = await refusal(blob());
    expect(text).toMatch(message);
    expect(text).toContain(LABEL);
  });

  it.each([
    ['brackets within brackets', '['.repeat(5_000_000)],
    ['brackets beside brackets', `{"a":{"x":[${'[],'.repeat(1_000_000)}[]]}}`],
    ['tensors of nothing but brackets', `{${'"a":{},'.repeat(500_000)}"b":{}}`],
  ])('a header of %s is refused before it is parsed', async (_, header) => {
    const start = performance.now();
    expect(await refusal(file(header))).toMatch(/brackets within brackets/);
    expect(performance.now() - start).toBeLessThan(2000);
  });
});

describe('an odd but valid file opens', () => {
  it('spaces around the header', async () => {
    const opened = await openSafetensors(file(`  ${headerOf({ a: tensor([2], [0, 8]) })}   `, 8), LABEL);
    expect(opened.names()).toEqual(['a']);
  });

  it('zero-size tensors, also on one offset', async () => {
    const header = headerOf({
      a: tensor([0, 4], [0, 0]),
      b: tensor([2], [0, 8]),
      c: tensor([0], [8, 8]),
      d: tensor([3, 0], [0, 0]),
    });
    const opened = await openSafetensors(file(header, 8), LABEL);
    expect((await opened.read('a')).bytes.byteLength).toBe(0);
    expect((await opened.read('b')).bytes.byteLength).toBe(8);
    expect(opened.entry('c')).toMatchObject({ shape: [0], byteLength: 0 });
  });

  it('a zero-size tensor whose other sizes are large', async () => {
    const opened = await openSafetensors(file(headerOf({ a: tensor([0, 2 ** 40], [0, 0]) })), LABEL);
    expect(opened.entry('a')?.byteLength).toBe(0);
  });

  it('rank 0', async () => {
    const opened = await openSafetensors(file(headerOf({ a: tensor([], [0, 4]) }), 4), LABEL);
    expect(opened.entry('a')).toMatchObject({ shape: [], byteLength: 4 });
  });

  it('no tensors at all', async () => {
    expect((await openSafetensors(file('{}'), LABEL)).names()).toEqual([]);
  });

  it('a tensor named __proto__, and one named like a method', async () => {
    const text = `{"__proto__":${JSON.stringify(tensor([1], [0, 4]))},"toString":${JSON.stringify(tensor([1], [4, 8]))}}`;
    const opened = await openSafetensors(file(text, 8), LABEL);
    expect(opened.names()).toEqual(['__proto__', 'toString']);
    expect(opened.entry('__proto__')).toMatchObject({ dtype: 'F32', shape: [1] });
    expect(opened.entry('valueOf')).toBeUndefined();
  });

  it('names in any order of their data, and metadata', async () => {
    const header = headerOf({
      __metadata__: { format: 'pt' },
      b: tensor([1], [4, 8]),
      a: tensor([1], [0, 4]),
    });
    const opened = await openSafetensors(file(header, 8), LABEL);
    expect(opened.metadata.get('format')).toBe('pt');
    expect(opened.names()).toEqual(['b', 'a']);
  });
});

it('reading a tensor that is not there names it', async () => {
  const opened = await openSafetensors(file('{}'), LABEL);
  await expect(opened.read('gone')).rejects.toThrow(
    'Expected a tensor named "gone" in unet/model.safetensors',
  );
});
