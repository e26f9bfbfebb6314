import fc from 'fast-check';
import { expect, it } from 'vitest';
import { StudioError } from '../../common/errors';
import { BYTES_PER_ELEMENT, type TensorDtype } from '../state-dict';
import { duplicateJsonKey } from './duplicate-json-key';
import { openSafetensors } from './safetensors';

const dtype = fc.constantFrom(...(Object.keys(BYTES_PER_ELEMENT) as TensorDtype[]));
const shape = fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 4 });
const tensors = fc.uniqueArray(fc.record({ name: fc.string(), dtype, shape }), {
  selector: ({ name }) => name,
  maxLength: 6,
});
type Tensors = readonly { name: string; dtype: TensorDtype; shape: readonly number[] }[];

/** A valid file of these tensors; byte i of the data is i mod 251. */
function validFile(list: Tensors): Uint8Array<ArrayBuffer> {
  let position = 0;
  const entries = list.map(({ name, dtype: type, shape: sizes }): [string, object] => {
    const start = position;
    position += sizes.reduce((product, size) => product * size, BYTES_PER_ELEMENT[type]);
    return [name, { dtype: type, shape: sizes, data_offsets: [start, position] }];
  });
  // Object.fromEntries would lose a tensor named "__proto__".
  const members = entries.map(([name, entry]) => `${JSON.stringify(name)}:${JSON.stringify(entry)}`);
  const header = new TextEncoder().encode(`{${members.join(',')}}`);
  const bytes = new Uint8Array(8 + header.byteLength + position);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(header.byteLength), true);
  bytes.set(header, 8);
  for (let i = 0; i < position; i += 1) bytes[8 + header.byteLength + i] = i % 251;
  return bytes;
}

/** Opens and reads everything: a StudioError is an answer, anything else is a crash. */
async function outcome(bytes: Uint8Array<ArrayBuffer>): Promise<'read' | 'refused'> {
  try {
    const opened = await openSafetensors(new Blob([bytes]), 'file');
    for (const name of opened.names()) await opened.read(name);
    return 'read';
  } catch (error) {
    expect(error).toBeInstanceOf(StudioError);
    return 'refused';
  }
}

const named = (list: Tensors): Tensors => list.filter(({ name }) => name !== '__metadata__');

it('what is written is read: names, types, shapes and bytes', async () => {
  await fc.assert(
    fc.asyncProperty(tensors.map(named), async (list) => {
      const opened = await openSafetensors(new Blob([validFile(list)]), 'file');
      expect(opened.names().toSorted()).toEqual(list.map(({ name }) => name).toSorted());
      let position = 0;
      for (const { name, dtype: type, shape: sizes } of list) {
        const raw = await opened.read(name);
        expect(raw).toMatchObject({ dtype: type, shape: sizes });
        raw.bytes.forEach((byte, i) => {
          if (byte !== (position + i) % 251) expect.fail(`${name}: byte ${i}`);
        });
        position += raw.bytes.byteLength;
      }
    }),
    { numRuns: 100 },
  );
});

it('a file cut anywhere is refused', async () => {
  await fc.assert(
    fc.asyncProperty(tensors.map(named), fc.nat(), async (list, cut) => {
      const bytes = validFile(list);
      expect(await outcome(bytes.slice(0, cut % bytes.byteLength))).toBe('refused');
    }),
    { numRuns: 150 },
  );
});

it('flipped bits give a file or a refusal, never a crash', async () => {
  const flips = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 7 })), { minLength: 1, maxLength: 4 });
  await fc.assert(
    fc.asyncProperty(tensors.map(named), flips, async (list, bits) => {
      const bytes = validFile(list);
      for (const [position, bit] of bits) {
        const index = position % bytes.byteLength;
        bytes[index] = bytes[index]! ^ (1 << bit);
      }
      await outcome(bytes);
    }),
    { numRuns: 300 },
  );
});

it('any JSON as header gives a file or a refusal, never a crash', async () => {
  await fc.assert(
    fc.asyncProperty(fc.json(), fc.nat(64), async (json, dataBytes) => {
      const header = new TextEncoder().encode(json);
      const bytes = new Uint8Array(8 + header.byteLength + dataBytes);
      new DataView(bytes.buffer).setBigUint64(0, BigInt(header.byteLength), true);
      bytes.set(header, 8);
      await outcome(bytes);
    }),
    { numRuns: 300 },
  );
});

it('tensor entries of any JSON values give a file or a refusal, never a crash', async () => {
  const anything = fc.jsonValue();
  const entry = fc.record(
    {
      dtype: fc.oneof(dtype, anything),
      shape: fc.oneof(shape, anything),
      data_offsets: fc.oneof(shape, anything),
    },
    { requiredKeys: [] },
  );
  await fc.assert(
    fc.asyncProperty(fc.dictionary(fc.string(), entry), fc.nat(64), async (entries, dataBytes) => {
      const header = new TextEncoder().encode(JSON.stringify(entries));
      const bytes = new Uint8Array(8 + header.byteLength + dataBytes);
      new DataView(bytes.buffer).setBigUint64(0, BigInt(header.byteLength), true);
      bytes.set(header, 8);
      await outcome(bytes);
    }),
    { numRuns: 300 },
  );
});

it('no object that JSON.stringify writes has a duplicate key', () => {
  fc.assert(
    fc.property(fc.json(), (json) => {
      expect(duplicateJsonKey(json)).toBeNull();
    }),
  );
});

it('a key written twice is found, whatever stands around it', () => {
  fc.assert(
    fc.property(fc.string(), fc.json(), fc.json(), (key, first, second) => {
      const text = `[0, {${JSON.stringify(key)} : ${first}, ${JSON.stringify(key)}:${second}}]`;
      expect(duplicateJsonKey(text)).toBe(key);
    }),
  );
});
