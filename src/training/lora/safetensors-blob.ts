/** Files that training writes, with metadata of their own. https://huggingface.co/docs/safetensors#format. */

/** Of the metadata: where the file comes from, as JSON. Other tools pass over it. */
export const LINEAGE_KEY = 'tango_studio';

/** A tensor in PyTorch's order: float32, or the bits of float16. */
export interface AdapterTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array | Uint16Array;
}

/**
 * A safetensors file, in sorted order, so that the same tensors give the same bytes.
 * @param metadata texts for the header's `__metadata__`
 */
export function safetensorsBlob(
  tensors: ReadonlyMap<string, AdapterTensor>,
  metadata: Readonly<Record<string, string>> = {},
): Blob {
  const header: Record<string, object> = { __metadata__: { format: 'pt', ...metadata } };
  const parts: Blob[] = [];
  let offset = 0;
  for (const [name, { shape, data }] of [...tensors].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const dtype = data instanceof Float32Array ? 'F32' : 'F16';
    header[name] = { dtype, shape, data_offsets: [offset, offset + data.byteLength] };
    parts.push(new Blob([data.slice()]));
    offset += data.byteLength;
  }
  const text = new TextEncoder().encode(JSON.stringify(header));
  // The data begins at a multiple of eight bytes; spaces belong to the header.
  const json = new Uint8Array(Math.ceil(text.byteLength / 8) * 8).fill(0x20);
  json.set(text);
  const length = new Uint8Array(8);
  new DataView(length.buffer).setBigUint64(0, BigInt(json.byteLength), true);
  return new Blob([length, json, ...parts], { type: 'application/octet-stream' });
}
