import type { StateDict } from '../weights';

/** A state dict as a safetensors file. */
export async function safetensorsFile(stateDict: StateDict): Promise<Blob> {
  const header: Record<string, object> = {};
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let offset = 0;
  for (const name of stateDict.names()) {
    const { dtype, shape, bytes } = await stateDict.read(name);
    header[name] = { dtype, shape, data_offsets: [offset, offset + bytes.byteLength] };
    parts.push(new Uint8Array(bytes));
    offset += bytes.byteLength;
  }
  const json = new TextEncoder().encode(JSON.stringify(header));
  const length = new BigUint64Array([BigInt(json.byteLength)]);
  return new Blob([length, json, ...parts]);
}
