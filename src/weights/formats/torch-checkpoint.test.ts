import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { StudioError, WeightsFormatError } from '../../common/errors';
import { bfloat16ToNumber, float16Table } from '../../common/float16';
import { loadFixture, readBlob } from '../../testing';
import { storedZip } from '../../testing/stored-zip';
import type { RawTensor, TensorDtype } from '../state-dict';
import { crc32 } from './crc32';
import { openTorchCheckpoint } from './torch-checkpoint';

const fixture = (name: string): Promise<Blob> =>
  readBlob(new URL(`./fixtures/torch-${name}`, import.meta.url));

const DECODERS: Partial<Record<TensorDtype, (buffer: ArrayBuffer) => Iterable<number>>> = {
  F64: (buffer) => new Float64Array(buffer),
  F32: (buffer) => new Float32Array(buffer),
  F16: (buffer) => Array.from(new Uint16Array(buffer), (bits) => float16Table()[bits]!),
  BF16: (buffer) => Array.from(new Uint16Array(buffer), bfloat16ToNumber),
  I64: (buffer) => Array.from(new BigInt64Array(buffer), Number),
  I32: (buffer) => new Int32Array(buffer),
  U8: (buffer) => new Uint8Array(buffer),
  BOOL: (buffer) => new Uint8Array(buffer),
};

const valuesOf = ({ dtype, bytes }: RawTensor): number[] => [
  ...DECODERS[dtype]!(new Uint8Array(bytes).buffer),
];

const expected = await loadFixture(new URL('./fixtures/torch-values.safetensors', import.meta.url));
const original = new Uint8Array(await (await fixture('state-dict.bin')).arrayBuffer());

describe('openTorchCheckpoint reads what torch.save wrote', () => {
  it.each(['state-dict.bin', 'nested.pt'])('%s: every dtype, view and shape', async (name) => {
    const stateDict = await openTorchCheckpoint(await fixture(name), name);
    expect([...stateDict.names()].sort()).toEqual([...expected.names].sort());
    for (const tensor of stateDict.names()) {
      const raw = await stateDict.read(tensor);
      const { data, shape } = expected.values(tensor);
      expect(raw.shape, tensor).toEqual(shape);
      expect(valuesOf(raw), tensor).toEqual([...data]);
      expect(stateDict.entry(tensor)).toEqual({
        dtype: raw.dtype,
        shape,
        byteLength: raw.bytes.byteLength,
      });
    }
  });

  it('keeps the dtypes', async () => {
    const stateDict = await openTorchCheckpoint(await fixture('state-dict.bin'), 'x');
    const dtypes = ['f32', 'f16', 'bf16', 'f64', 'i64', 'boolean'].map((n) => stateDict.entry(n)?.dtype);
    expect(dtypes).toEqual(['F32', 'F16', 'BF16', 'F64', 'I64', 'BOOL']);
  });

  it('a module’s OrderedDict with its metadata', async () => {
    const stateDict = await openTorchCheckpoint(await fixture('module.bin'), 'module.bin');
    expect(stateDict.entry('0.weight')).toEqual({ dtype: 'F32', shape: [3, 2, 3], byteLength: 72 });
    expect(stateDict.entry('1.num_batches_tracked')?.dtype).toBe('I64');
    await expect(stateDict.read('2.weight')).rejects.toThrow('Expected a tensor named "2.weight"');
  });

  it('a training script’s file: the state dict, without what lies beside it', async () => {
    const stateDict = await openTorchCheckpoint(await fixture('training-state.pt'), 'clap.pt');
    const names = ['0.weight', '0.bias', '1.weight', '1.bias', 'position_ids'].map(
      (name) => `module.${name}`,
    );
    expect([...stateDict.names()].sort()).toEqual([...names].sort());
    expect(stateDict.entry('module.position_ids')).toEqual({ dtype: 'I64', shape: [1, 4], byteLength: 32 });
  });

  it('reads slices only: opening and one tensor touch a part of a large file', async () => {
    const blob = await fixture('state-dict.bin');
    const stateDict = await openTorchCheckpoint(blob, 'x');
    expect((await stateDict.read('part')).shape).toEqual([2, 3]);
    expect(valuesOf(await stateDict.read('shared')).length).toBe(24);
  });
});

async function refusal(blob: Blob): Promise<string> {
  const outcome: unknown = await readAll(blob).then(
    () => 'it was read',
    (reason: unknown) => reason,
  );
  expect(outcome).toBeInstanceOf(WeightsFormatError);
  return outcome instanceof Error ? outcome.message : '';
}

async function readAll(blob: Blob): Promise<void> {
  const stateDict = await openTorchCheckpoint(blob, 'main.bin');
  for (const name of stateDict.names()) await stateDict.read(name);
}

const latin1 = (text: string): Uint8Array => Uint8Array.from(text, (char) => char.charCodeAt(0));
const pickleZip = (pickle: string): Blob => storedZip([['x/data.pkl', latin1(pickle)]]);

describe('a hostile or damaged file is refused by name', () => {
  it.each<[string, string, RegExp]>([
    ['os-system.bin', 'os.system by REDUCE', /asks for "(posix|os)\.system".*never run/],
    ['module-object.bin', 'a whole module', /asks for "torch\.nn\.modules\.linear\.Linear"/],
    [
      'legacy.bin',
      'a file of torch before 1.6',
      /torch before 1\.6.*python -c "import torch; torch\.save\(torch\.load\('main\.bin', map_location='cpu', weights_only=True\), 'main-new\.bin'\)"/,
    ],
    ['raw-pickle.bin', 'a raw pickle', /raw pickle.*torch\.save\(torch\.load\(/],
    ['stride-0.bin', 'a stride-0 tensor of 2^40 elements', /\[1099511627776\].*beyond its storage of 1 /],
  ])('%s: %s', async (name, _, message) => {
    expect(await refusal(await fixture(name))).toMatch(message);
  });

  it.each<[string, () => Blob, RegExp]>([
    ['empty', () => new Blob([]), /begins with ""/],
    ['a web page', () => new Blob(['<!doctype html><p>Sign in']), /a web page/],
    [
      'a tar file',
      () => new Blob([latin1(`${'a'.repeat(257)}ustar${'0'.repeat(300)}`)].map(copy)),
      /tar file/,
    ],
    [
      'a zip without a pickle',
      () => storedZip([['x/readme', latin1('hi')]]),
      /expected "data\.pkl".*x\/readme/,
    ],
    ['STACK_GLOBAL eval', () => pickleZip('\x80\x02U\x08builtinsU\x04eval\x93.'), /opcode 0x93/],
    ['INST', () => pickleZip('\x80\x02(ios\nsystem\n.'), /opcode 0x69/],
    ['protocol 4', () => pickleZip('\x80\x04}.'), /protocol 2, got 4/],
    [
      'a dotted name through an allowed module',
      () => pickleZip('\x80\x02ctorch._utils\n_rebuild_tensor_v2.__globals__\n.'),
      /"torch\._utils\._rebuild_tensor_v2\.__globals__"/,
    ],
    [
      'a storage that is called',
      () => pickleZip('\x80\x02ctorch\nFloatStorage\n)R.'),
      /calls a storage type/,
    ],
    ['a memo entry never set', () => pickleZip('\x80\x02h\x05.'), /memo's entry 5/],
    ['text longer than the file', () => pickleZip('\x80\x02X\xff\xff\xff\x7fabc.'), /cut short/],
    ['no STOP', () => pickleZip('\x80\x02}'), /cut short/],
    ['an empty stack', () => pickleZip('\x80\x02.'), /stack is empty/],
    ['no mark', () => pickleZip('\x80\x02}u.'), /no mark/],
    ['no tensors', () => pickleZip('\x80\x02}U\x05epochK\x01s.'), /expected a state dict.*epoch/],
    ['a key twice', () => pickleZip('\x80\x02}(U\x01aK\x01U\x01aK\x02u.'), /sets "a" twice/],
    [
      'a storage that is not there',
      () => pickleZip(persistent('7', 'K\x01')),
      /storage "7" is not in the zip/,
    ],
    [
      'a storage beyond its bytes',
      () =>
        storedZip([
          ['x/data.pkl', latin1(persistent('0', 'K\x09'))],
          ['x/data/0', new Uint8Array(4)],
        ]),
      /expected 36 bytes in the storage "0" \(9 of F32\), it has 4/,
    ],
    [
      'a compressed entry (a deflate bomb)',
      () => storedZip([['x/data.pkl', latin1('\x80\x02}.')]], (record) => record.setUint16(10, 8, true)),
      /compressed \(method 8\)/,
    ],
    [
      'an encrypted entry',
      () => storedZip([['x/data.pkl', latin1('\x80\x02}.')]], (record) => record.setUint16(8, 1, true)),
      /encrypted/,
    ],
    [
      'a bad CRC',
      () => storedZip([['x/data.pkl', latin1('\x80\x02}.')]], (record) => record.setUint32(16, 1, true)),
      /expected the CRC 00000001 of "x\/data\.pkl"/,
    ],
    [
      'one name twice',
      () => storedZip(['x/data.pkl', 'x/data.pkl'].map((name) => [name, latin1('\x80\x02}.')])),
      /"x\/data\.pkl" twice/,
    ],
    [
      'entries that overlap',
      () =>
        storedZip(
          ['x/data.pkl', 'x/b'].map((name) => [name, new Uint8Array(64)]),
          (record, i) => i === 1 && record.setUint32(42, 8, true),
        ),
      /overlaps what follows/,
    ],
    [
      'an entry larger than the file',
      () =>
        storedZip([['x/data.pkl', latin1('}.')]], (record) => {
          record.setUint32(20, 1e9, true);
          record.setUint32(24, 1e9, true);
        }),
      /1000000000 bytes from 0/,
    ],
    [
      'an entry of 2^32 bytes without zip64 sizes',
      () => storedZip([['x/data.pkl', latin1('}.')]], (record) => record.setUint32(24, 0xffffffff, true)),
      /lacks its zip64 sizes/,
    ],
    [
      'a raw pickle of Python 3.8',
      () => new Blob([latin1('\x80\x04}.')].map(copy)),
      /raw pickle.*torch\.save\(torch\.load\(/,
    ],
    [
      'a local header that moves the content into the next entry',
      () =>
        storedZip(
          ['x/data.pkl', 'x/b'].map((name) => [name, latin1('\x80\x02}.')]),
          () => {},
          (header, i) => i === 0 && header.setUint16(28, 20, true),
        ),
      /"x\/data\.pkl" is not where, or not what/,
    ],
    [
      'a local header that says compressed',
      () =>
        storedZip(
          [['x/data.pkl', latin1('\x80\x02}.')]],
          () => {},
          (header) => header.setUint16(8, 8, true),
        ),
      /not where, or not what/,
    ],
    [
      'a local header of another name',
      () =>
        storedZip(
          [['x/data.pkl', latin1('\x80\x02}.')]],
          () => {},
          (header) => header.setUint16(26, 4, true),
        ),
      /not where, or not what/,
    ],
    [
      'three million empty lists in three megabytes',
      () => pickleZip(`\x80\x02${']'.repeat(3e6)}.`),
      /more than 1000000 values/,
    ],
    ['three million marks', () => pickleZip(`\x80\x02${'('.repeat(3e6)}.`), /more than 1000000 values/],
    [
      'a list within a list, a million deep',
      () => pickleZip(`\x80\x02${']'.repeat(1e6)}${'a'.repeat(999_999)}.`),
      /state dict/,
    ],
  ])('%s', async (_, blob, message) => {
    expect(await refusal(blob())).toMatch(message);
  });

  it('a flipped byte of a tensor is found by its CRC', async () => {
    const { bytes: values } = await (await openTorchCheckpoint(new Blob([original]), 'x')).read('f32');
    const at = original.findIndex((_, i) => values.every((byte, k) => original[i + k] === byte));
    expect(at).toBeGreaterThan(0);
    const bytes = original.slice();
    bytes[at + 3] = bytes[at + 3]! ^ 1;
    expect(await refusal(new Blob([bytes]))).toMatch(/expected the CRC [0-9a-f]{8} of "[^"]+\/data\/\d+"/);
  });

  it('a memo bomb (each list ten times the one before) costs its bytes, not its expansion', async () => {
    const levels = Array.from({ length: 60 }, (_, i) => `](${`h${char(i)}`.repeat(10)}eq${char(i + 1)}`);
    expect(await refusal(pickleZip(`\x80\x02]q\x00${levels.join('')}.`))).toMatch(/expected a state dict/);
  });
});

const char = (code: number): string => String.fromCharCode(code);
const copy = (bytes: Uint8Array): Uint8Array<ArrayBuffer> => new Uint8Array(bytes);

/** `{"a": <the storage>}`: a persistent id of so many floats. */
function persistent(key: string, length: string): string {
  return `\x80\x02}U\x01a(U\x07storagectorch\nFloatStorage\nU\x01${key}U\x03cpu${length}tQs.`;
}

describe('whatever is done to a file, it is read or refused', () => {
  /** @throws what is not an error of the studio */
  async function outcome(bytes: Uint8Array<ArrayBuffer>): Promise<'read' | 'refused'> {
    try {
      await readAll(new Blob([bytes]));
      return 'read';
    } catch (error) {
      if (error instanceof StudioError) return 'refused';
      throw error;
    }
  }

  it('cut anywhere: refused', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(original.length - 1), async (length) => {
        expect(await outcome(original.slice(0, length))).toBe('refused');
      }),
      { numRuns: 150 },
    );
  });

  it('bits flipped: never a crash', async () => {
    const flips = fc.array(fc.tuple(fc.nat(original.length - 1), fc.integer({ min: 0, max: 7 })), {
      minLength: 1,
      maxLength: 4,
    });
    await fc.assert(
      fc.asyncProperty(flips, async (list) => {
        const bytes = original.slice();
        for (const [at, bit] of list) bytes[at] = bytes[at]! ^ (1 << bit);
        await outcome(bytes);
      }),
      { numRuns: 300 },
    );
  });

  it('any opcodes as pickle: never a crash, and nothing but what the table makes', async () => {
    const opcode = fc.oneof(
      fc.constantFrom(...'()]}NtasueQRb.\x85\x86\x87\x88\x89'),
      fc.constantFrom(
        'ctorch\nFloatStorage\n',
        'ctorch._utils\n_rebuild_tensor_v2\n',
        'ccollections\nOrderedDict\n',
      ),
      fc.constantFrom(
        'X\x01\0\0\0a',
        'U\x07storage',
        'U\x010',
        'U\x03cpu',
        'J\xff\xff\xff\x7f',
        'q\0',
        'h\0',
      ),
      fc.nat(255).map((value) => `K${char(value)}`),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(opcode, { maxLength: 40 }), async (opcodes) => {
        const pickle = latin1(`\x80\x02${opcodes.join('')}.`);
        const zip = storedZip([
          ['x/data.pkl', pickle],
          ['x/data/0', new Uint8Array(16)],
        ]);
        await outcome(new Uint8Array(await zip.arrayBuffer()));
      }),
      { numRuns: 1000 },
    );
  });

  it('any numbers in a tensor’s place: read within its storage, or refused', async () => {
    const number = fc.oneof(
      fc.nat(5).map((n) => `K${char(n)}`),
      fc.constant('J\xff\xff\xff\x7f'),
      fc.constant('J\xff\xff\xff\xff'),
    );
    const list = fc.array(number, { maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(number, list, list, async (offset, shape, stride) => {
        const storage = '(U\x07storagectorch\nFloatStorage\nU\x010U\x03cpuK\x04tQ';
        const args = `(${storage}${offset}(${shape.join('')}t(${stride.join('')}t\x89ccollections\nOrderedDict\n)Rt`;
        const pickle = latin1(`\x80\x02}U\x01actorch._utils\n_rebuild_tensor_v2\n${args}Rs.`);
        const zip = storedZip([
          ['x/data.pkl', pickle],
          ['x/data/0', new Uint8Array(16)],
        ]);
        try {
          const raw = await (await openTorchCheckpoint(zip, 'x')).read('a');
          expect(raw.bytes.byteLength).toBeLessThanOrEqual(16);
        } catch (error) {
          expect(error).toBeInstanceOf(WeightsFormatError);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('any directory record: never a crash', async () => {
    const changes = fc.array(fc.tuple(fc.nat(42), fc.nat(0xffffffff)), { minLength: 1, maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(changes, fc.boolean(), async (list, local) => {
        const bend = (view: DataView): void => {
          for (const [at, value] of list) if (at + 4 <= view.byteLength) view.setUint32(at, value, true);
        };
        const files = [['x/data.pkl', latin1('\x80\x02}.')]] as const;
        const zip = local ? storedZip(files, () => {}, bend) : storedZip(files, bend);
        await outcome(new Uint8Array(await zip.arrayBuffer()));
      }),
      { numRuns: 300 },
    );
  });

  it('any bytes as pickle: never a crash', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 60 }), async (bytes) => {
        await outcome(new Uint8Array(await storedZip([['x/data.pkl', bytes]]).arrayBuffer()));
      }),
      { numRuns: 500 },
    );
  });
});

it('crc32 is that of zip, in one go and in parts', () => {
  const bytes = latin1('123456789');
  expect(crc32(bytes)).toBe(0xcbf43926);
  expect(crc32(bytes.subarray(4), crc32(bytes.subarray(0, 4)))).toBe(0xcbf43926);
});
