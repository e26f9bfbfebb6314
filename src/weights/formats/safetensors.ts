/**
 * The safetensors format (https://github.com/huggingface/safetensors): 8 bytes of header length, a JSON header, the
 * tensors' bytes. The header is parsed and checked as a whole before any tensor is trusted; tensors are read lazily
 * by slices of the blob, so a 5 GB file costs its header.
 */
import { WeightsFormatError } from '../../common/errors';
import { quoted } from '../../common/quoted';
import { noSuchTensor, type StateDict, type TensorEntry } from '../state-dict';
import { parseSafetensorsHeader } from './safetensors-header';

/**
 * 100,000 tensors of long names: a larger header is an attack or damage. safetensors itself allows 100 MB, of which
 * `JSON.parse` could make a gigabyte of objects.
 */
const MAX_HEADER_BYTES = 16 * 2 ** 20;
const LENGTH_BYTES = 8;

export interface SafetensorsFile extends StateDict {
  /** The header's `__metadata__`: strings only. */
  readonly metadata: ReadonlyMap<string, string>;
}

/**
 * Opens a safetensors file: reads and checks its header.
 *
 * @param label the file's name, for messages.
 * @throws WeightsFormatError when the bytes are not what the format says.
 */
export async function openSafetensors(blob: Blob, label: string): Promise<SafetensorsFile> {
  const headerLength = await readHeaderLength(blob, label);
  const dataStart = LENGTH_BYTES + headerLength;
  const headerBytes = new Uint8Array(await blob.slice(LENGTH_BYTES, dataStart).arrayBuffer());
  const { metadata, tensors } = parseSafetensorsHeader(headerBytes, blob.size - dataStart, label);
  return {
    metadata,
    names: () => [...tensors.keys()],
    entry: (name): TensorEntry | undefined => tensors.get(name),
    read: async (name) => {
      const tensor = tensors.get(name);
      if (!tensor) throw noSuchTensor(name, label);
      const start = dataStart + tensor.start;
      const bytes = new Uint8Array(await blob.slice(start, start + tensor.byteLength).arrayBuffer());
      if (bytes.byteLength !== tensor.byteLength) {
        throw new WeightsFormatError(
          `${label}: expected ${tensor.byteLength} bytes for ${quoted(name)}, got ${bytes.byteLength}. ` +
            'The file changed while it was read; open it again.',
        );
      }
      return { name, dtype: tensor.dtype, shape: tensor.shape, bytes };
    },
  };
}

async function readHeaderLength(blob: Blob, label: string): Promise<number> {
  if (blob.size < LENGTH_BYTES) {
    throw new WeightsFormatError(
      `${label}: expected a safetensors file, which begins with ${LENGTH_BYTES} bytes of header length; ` +
        `got a file of ${blob.size} bytes. Download it again.`,
    );
  }
  const lengthBytes = await blob.slice(0, LENGTH_BYTES).arrayBuffer();
  const length = new DataView(lengthBytes).getBigUint64(0, true);
  if (length > BigInt(MAX_HEADER_BYTES)) {
    throw new WeightsFormatError(
      `${label}: expected a header of at most ${MAX_HEADER_BYTES} bytes, the file says ${length}. ` +
        'It is not a safetensors file (a web page saved under its name, for example); download it again.',
    );
  }
  if (length > BigInt(blob.size - LENGTH_BYTES)) {
    throw new WeightsFormatError(
      `${label}: expected a header of ${length} bytes, the file has ${blob.size - LENGTH_BYTES} bytes after its ` +
        'first 8. It is cut short; download it again.',
    );
  }
  return Number(length);
}
