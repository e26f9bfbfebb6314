/** Adapters are small: the whole file in memory, with metadata of its own. https://huggingface.co/docs/safetensors#format. */

/** A float32 tensor in PyTorch's order. */
export interface AdapterTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/**
 * A safetensors file of float32 tensors, in sorted order, so that the same tensors give the same bytes.
 * @param metadata texts for the header's `__metadata__`
 */
export function safetensorsBlob(
  tensors: ReadonlyMap<string, AdapterTensor>,
  metadata: Readonly<Record<string, string>> = {},
): Blob {
  const header: Record<string, object> = { __metadata__: { format: 'pt', ...metadata } };
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let offset = 0;
  for (const [name, { shape, data }] of [...tensors].sort(([a], [b]) => (a < b ? -1 : 1))) {
    header[name] = { dtype: 'F32', shape, data_offsets: [offset, offset + data.byteLength] };
    parts.push(new Uint8Array(Float32Array.from(data).buffer));
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
