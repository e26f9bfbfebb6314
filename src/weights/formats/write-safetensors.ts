import type { StateDict } from '../state-dict';

/**
 * Writes a state dict as safetensors, one tensor after another, for a place that takes parts in any order: the header
 * comes last, since a tensor's type may be known only once it was read.
 *
 * @param put takes the data's bytes in order
 * @returns the bytes that belong before the data: header length and header, padded to 8
 */
export async function writeSafetensors(
  stateDict: StateDict,
  put: (bytes: Uint8Array) => Promise<void>,
): Promise<Uint8Array<ArrayBuffer>> {
  const header = new Map<string, object>([['__metadata__', { format: 'pt' }]]);
  let offset = 0;
  for (const name of stateDict.names()) {
    const { dtype, shape, bytes } = await stateDict.read(name);
    header.set(name, { dtype, shape, data_offsets: [offset, offset + bytes.byteLength] });
    offset += bytes.byteLength;
    await put(bytes);
  }
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(header)));
  const padded = Math.ceil(json.byteLength / 8) * 8;
  const head = new Uint8Array(8 + padded).fill(0x20);
  new DataView(head.buffer).setBigUint64(0, BigInt(padded), true);
  head.set(json, 8);
  return head;
}
