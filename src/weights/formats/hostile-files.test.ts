import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { readBlob } from '../../testing';
import { type ConfinedReader, expectAnswered, startConfinedReader } from '../../testing/confined-reader';
import { type StoredFile, storedZip } from '../../testing/stored-zip';

const reader: ConfinedReader = await startConfinedReader();
afterAll(() => reader.close());

const latin1 = (text: string): Uint8Array<ArrayBuffer> => Uint8Array.from(text, (c) => c.charCodeAt(0));
const bytesOf = async (blob: Blob): Promise<Uint8Array<ArrayBuffer>> =>
  new Uint8Array(await blob.arrayBuffer());

function safetensors(header: string | Uint8Array, dataBytes = 0): Uint8Array<ArrayBuffer> {
  const text = typeof header === 'string' ? latin1(header) : header;
  const bytes = new Uint8Array(8 + text.byteLength + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(text.byteLength), true);
  bytes.set(text, 8);
  return bytes;
}

const STORAGE: StoredFile = ['x/data/0', new Uint8Array(16)];
const torch = (pickle: string): Promise<Uint8Array<ArrayBuffer>> =>
  bytesOf(storedZip([['x/data.pkl', latin1(`\x80\x02${pickle}.`)], STORAGE]));

/** Opcodes that push ("storage", FloatStorage, "0", "cpu", 4) and make it a storage. */
const STORAGE_OPCODES = '(U\x07storagectorch\nFloatStorage\nU\x010U\x03cpuK\x04tQ';
const REBUILD = 'ctorch._utils\n_rebuild_tensor_v2\n';

const uint32 = (value: number): string =>
  String.fromCharCode(value & 255, (value >> 8) & 255, (value >> 16) & 255, value >>> 24);
const each = (count: number, make: (index: number) => string, between = ''): string =>
  Array.from({ length: count }, (_, index) => make(index)).join(between);

/** What is small in the file and large when it is read; sizes near the readers' own bounds. */
describe('a file that would grow while it is read is refused', () => {
  it.each<[string, () => Uint8Array<ArrayBuffer>, RegExp]>([
    [
      'a shape of seven million sizes',
      () => safetensors(`{"a":{"dtype":"U8","shape":[${'1,'.repeat(7e6)}1],"data_offsets":[0,1]}}`, 1),
      /more fields or sizes than a tensor has/,
    ],
    [
      'names without tensors',
      () => safetensors(`{${each(1.2e6, (i) => `"${i.toString(36)}":1`, ',')}}`),
      /more fields or sizes/,
    ],
    [
      'metadata of a million entries',
      () => safetensors(`{"__metadata__":{${each(1e6, (i) => `"${i.toString(36)}":""`, ',')}}}`),
      /more fields or sizes/,
    ],
    [
      'a million fields in one tensor',
      () => safetensors(`{"a":{${each(1e6, (i) => `"${i.toString(36)}":1`, ',')}}}`),
      /more fields or sizes/,
    ],
    ['a list of seven million numbers', () => safetensors(`[${'1,'.repeat(7e6)}1]`), /more fields or sizes/],
    [
      'a name of ten megabytes',
      () => safetensors(`{"${'a'.repeat(1e7)}":{"dtype":"F99","shape":[],"data_offsets":[0,0]}}`),
      /expected the dtype of "a{100}…"/,
    ],
  ])('safetensors: %s', async (_, make, message) => {
    const outcome = await expectAnswered(reader, { format: 'safetensors', bytes: make() });
    expect(outcome.message).toMatch(message);
  });

  it.each<[string, () => string, RegExp]>([
    ['three million memo entries', () => `}${each(3e6, (i) => `r${uint32(i)}`)}`, /more than 1000000 values/],
    ['eight million empty lists', () => ']'.repeat(8e6), /more than 1000000 values/],
    ['eight million empty dicts', () => '}'.repeat(8e6), /more than 1000000 values/],
    ['as many empty dicts as there may be', () => `(${'}'.repeat(999_990)}(`, /the pickle’s stack is empty/],
    ['lists of one', () => ']Na'.repeat(4e6), /more than 1000000 values/],
    ['dicts of one', () => '}K\x01Ns'.repeat(3e6), /more than 1000000 values/],
    [
      'one tuple of 200,000 sizes for each of 400 tensors',
      () =>
        `(${'K\x01'.repeat(2e5)}tq\x01${REBUILD}q\x02${STORAGE_OPCODES}q\x03}${each(
          400,
          (i) => `X${uint32(4)}${1000 + i}h\x02(h\x03K\x00h\x01h\x01\x89NtRs`,
        )}`,
      /up to 16 sizes and strides/,
    ],
    [
      'a storage key of ten megabytes',
      () => `(U\x07storagectorch\nFloatStorage\nX${uint32(1e7)}${'0'.repeat(1e7)}U\x03cpuK\x04tQ`,
      /the storage "0{100}…" is not in the zip/,
    ],
    ['a global of ten megabytes', () => `c${'a'.repeat(1e7)}\nb\n`, /asks for "a{100}…"/],
    ['a key of ten megabytes', () => `}X${uint32(1e7)}${'k'.repeat(1e7)}K\x01s`, /the file has "k{100}…"/],
    ['a pickle of 17 MB', () => 'N'.repeat(17 * 2 ** 20), /a pickle of at most 16777216 bytes/],
  ])('torch: %s', async (_, pickle, message) => {
    const outcome = await expectAnswered(reader, { format: 'torch', bytes: await torch(pickle()) });
    expect(outcome.message).toMatch(message);
  });

  it('what is as large as real checkpoints get is read: 10,000 tensors', async () => {
    const name = (i: number): string => `model.layers.${i}.weight`;
    const pickled = `}(${each(
      10_000,
      (i) =>
        `X${uint32(name(i).length)}${name(i)}r${uint32(5 * i)}${REBUILD}r${uint32(5 * i + 1)}(${STORAGE_OPCODES}K\x00K\x02K\x02\x86r${uint32(5 * i + 2)}K\x02K\x01\x86r${uint32(5 * i + 3)}\x89ccollections\nOrderedDict\n)Rr${uint32(5 * i + 4)}tR`,
    )}u`;
    const read = await expectAnswered(reader, { format: 'torch', bytes: await torch(pickled) });
    expect(read).toMatchObject({ kind: 'read', tensors: 10_000 });
    const header = each(
      10_000,
      (i) => `"${name(i)}":{"dtype":"F32","shape":[1,1,1],"data_offsets":[${4 * i},${4 * i + 4}]}`,
      ',',
    );
    const bytes = safetensors(`{"__metadata__":{"format":"pt"},${header}}`, 40_000);
    expect(await expectAnswered(reader, { format: 'safetensors', bytes })).toMatchObject({
      kind: 'read',
      tensors: 10_000,
    });
  });
});

/** Any few pieces, repeated until they are a megabyte: what grows or hangs does so by repetition. */
describe('whatever is repeated a hundred thousand times is read or refused, in time and within its size', () => {
  const MEGABYTE = 2 ** 20;
  const repeated = (unit: string): string =>
    unit.repeat(Math.ceil(MEGABYTE / Math.max(1, unit.length))).slice(0, MEGABYTE);
  const few = (pieces: readonly string[]) =>
    fc.array(fc.constantFrom(...pieces), { minLength: 1, maxLength: 8 }).map((list) => list.join(''));

  it('safetensors: pieces of headers', async () => {
    const pieces = [
      ...'{}[]",:\\0a ',
      '"a"',
      '"a":',
      '"shape":[1]',
      '"dtype":"F32"',
      '"data_offsets":[0,4]',
      '{"dtype":"U8","shape":[],"data_offsets":[0,1]}',
      '"__metadata__":{"k":"v"}',
      '\\u0061',
      '9e99',
      'null',
    ];
    await fc.assert(
      fc.asyncProperty(few(pieces), few(pieces), few(pieces), async (before, unit, after) => {
        const bytes = safetensors(`${before}${repeated(unit)}${after}`, 4);
        await expectAnswered(reader, { format: 'safetensors', bytes });
      }),
      { numRuns: 60 },
    );
  }, 300_000);

  it('torch: opcodes', async () => {
    const pieces = [
      ...'()]}Ntasueq0RbQ\x85\x86\x87\x88',
      'h\0',
      'q\0',
      'r\x01\x02\0\0',
      'j\0\0\0\0',
      'K\x01',
      'U\x01a',
      'X\x01\0\0\0a',
      '\x8a\x02\xff\xff',
      'G\x7f\xf0\0\0\0\0\0\0',
      'ccollections\nOrderedDict\n)R',
      REBUILD,
      STORAGE_OPCODES,
      `${REBUILD}(${STORAGE_OPCODES}K\0K\x04\x85K\x01\x85\x89NtR`,
    ];
    await fc.assert(
      fc.asyncProperty(few(pieces), few(pieces), few(pieces), async (before, unit, after) => {
        const bytes = await torch(`${before}${repeated(unit)}${after}`);
        await expectAnswered(reader, { format: 'torch', bytes });
      }),
      { numRuns: 60 },
    );
  }, 300_000);
});

describe('a good file, cut, bent, or with a piece of it said again', () => {
  const originals: readonly ['safetensors' | 'torch', Promise<Uint8Array<ArrayBuffer>>][] = [
    ['safetensors', readBlob(new URL('./fixtures/torch-values.safetensors', import.meta.url)).then(bytesOf)],
    ['torch', readBlob(new URL('./fixtures/torch-state-dict.bin', import.meta.url)).then(bytesOf)],
    ['torch', readBlob(new URL('./fixtures/torch-training-state.pt', import.meta.url)).then(bytesOf)],
  ];

  it.each(originals)('%s: cut at every tenth byte: refused', async (format, file) => {
    const whole = await file;
    for (let length = 0; length < whole.byteLength; length += 10) {
      const { kind } = await expectAnswered(reader, { format, bytes: whole.slice(0, length) });
      expect(kind, `${length} of ${whole.byteLength} bytes`).toBe('refused');
    }
  });

  it.each(originals)(
    '%s: bits flipped, anywhere or in the parts that say what is where',
    async (format, file) => {
      const whole = await file;
      const head = Math.min(whole.byteLength, 4096);
      const at = fc.oneof(
        fc.nat(whole.byteLength - 1),
        fc.nat(head - 1),
        fc.nat(head - 1).map((back) => whole.byteLength - 1 - back),
      );
      const flips = fc.array(fc.tuple(at, fc.integer({ min: 0, max: 7 })), { minLength: 1, maxLength: 6 });
      await fc.assert(
        fc.asyncProperty(flips, async (list) => {
          const bytes = whole.slice();
          for (const [index, bit] of list) bytes[index]! ^= 1 << bit;
          await expectAnswered(reader, { format, bytes });
        }),
        { numRuns: 500 },
      );
    },
  );

  it.each(originals)('%s: a piece moved over another, or put in again', async (format, file) => {
    const whole = await file;
    const place = fc.nat(whole.byteLength - 1);
    await fc.assert(
      fc.asyncProperty(
        place,
        place,
        fc.integer({ min: 1, max: 300 }),
        fc.boolean(),
        async (from, to, length, over) => {
          const piece = whole.slice(from, from + length);
          const rest = whole.slice(over ? to + piece.byteLength : to);
          const bytes = new Uint8Array(await new Blob([whole.slice(0, to), piece, rest]).arrayBuffer());
          await expectAnswered(reader, { format, bytes });
        },
      ),
      { numRuns: 300 },
    );
  });
});
