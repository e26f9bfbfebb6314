/**
 * Files of torch.save (.bin, .pt, .ckpt) since torch 1.6: a zip with a pickle that describes the tensors, and one
 * stored entry for each storage. The pickle is read to a plain tree, tensors by slices of the blob.
 */
import { elementCount, formatShape } from '../../common/assert';
import { WeightsFormatError } from '../../common/errors';
import { quoted } from '../../common/quoted';
import { releaseBuffer } from '../../common/release-buffer';
import { BYTES_PER_ELEMENT, noSuchTensor, type StateDict, type TensorDtype } from '../state-dict';
import { crc32 } from './crc32';
import { PickleDict, PickleGlobal, PickleOpaque, PickleTuple, type PickleValue, readPickle } from './pickle';
import { checkCrc, openZipDirectory, readZipEntry, type ZipDirectory, type ZipEntry } from './zip-directory';

/** The pickle of a checkpoint of ten thousand tensors has about 2 MB. */
const MAX_PICKLE_BYTES = 16 * 2 ** 20;
/** One tuple of a million sizes could be given to every tensor of a small file, and each keeps its own. */
const MAX_RANK = 16;
const CRC_PART_BYTES = 16 * 2 ** 20;
const AGAIN = 'The file is damaged or was not written by torch.save; download it again, or use safetensors.';

const STORAGE_DTYPES: ReadonlyMap<string, TensorDtype> = new Map([
  ['torch.DoubleStorage', 'F64'],
  ['torch.FloatStorage', 'F32'],
  ['torch.HalfStorage', 'F16'],
  ['torch.BFloat16Storage', 'BF16'],
  ['torch.LongStorage', 'I64'],
  ['torch.IntStorage', 'I32'],
  ['torch.ShortStorage', 'I16'],
  ['torch.CharStorage', 'I8'],
  ['torch.ByteStorage', 'U8'],
  ['torch.BoolStorage', 'BOOL'],
]);

/** Names of numpy's scalars, which training scripts save beside the weights. */
const OPAQUE_NAMES = [
  'numpy.core.multiarray.scalar',
  'numpy._core.multiarray.scalar',
  'numpy.dtype',
  '_codecs.encode',
];

/** Where training scripts put the state dict, in the order in which they are looked for. */
const NESTED_KEYS = ['state_dict', 'model_state_dict', 'model'];

class Storage {
  constructor(
    readonly dtype: TensorDtype,
    readonly entry: ZipEntry,
    readonly length: number,
  ) {}
}

class Tensor {
  constructor(
    readonly storage: Storage,
    readonly offset: number,
    readonly shape: readonly number[],
    readonly stride: readonly number[],
  ) {}
  get byteLength(): number {
    return elementCount(this.shape) * BYTES_PER_ELEMENT[this.storage.dtype];
  }
}

/**
 * Opens a checkpoint of torch.save: its state dict at the top, or under `state_dict`. Values beside the tensors
 * (epoch, optimizer) are left out.
 *
 * @throws WeightsFormatError for anything that is not plain weights, by name; nothing in the file is ever run
 */
export async function openTorchCheckpoint(blob: Blob, label: string): Promise<StateDict> {
  await refuseOtherFormats(blob, label);
  const zip = await openZipDirectory(blob, label);
  const pickleEntry = [...zip.entries.values()].find(({ name }) => /^[^/]+\/data\.pkl$/.test(name));
  if (!pickleEntry || pickleEntry.size > MAX_PICKLE_BYTES) {
    throw new WeightsFormatError(
      pickleEntry
        ? `${label}: expected a pickle of at most ${MAX_PICKLE_BYTES} bytes, it has ${pickleEntry.size}. ${AGAIN}`
        : `${label}: expected "data.pkl" in the zip, as torch.save writes it; it has ${[...zip.entries.keys()].slice(0, 5).map(quoted).join(', ') || 'nothing'}. A TorchScript file or another zip is no checkpoint.`,
    );
  }
  const root = pickleEntry.name.slice(0, -'data.pkl'.length);
  await checkByteOrder(zip, root, label);
  const tree = readPickle(await readZipEntry(zip, pickleEntry, label), tableOf(zip, root, label), label);
  const tensors = findTensors(tree, label);
  const verified = new Map<ZipEntry, Promise<void>>();
  return {
    names: () => [...tensors.keys()],
    entry: (name) => {
      const tensor = tensors.get(name);
      return tensor && { dtype: tensor.storage.dtype, shape: tensor.shape, byteLength: tensor.byteLength };
    },
    read: async (name) => {
      const tensor = tensors.get(name);
      if (!tensor) throw noSuchTensor(name, label);
      const { dtype } = tensor.storage;
      return { name, dtype, shape: tensor.shape, bytes: await readTensor(zip, tensor, verified, label) };
    },
  };
}

/** Whether torch before 1.6 wrote the file: a pickle, with all bytes of the tensors behind it. Raw pickles look the same. */
export async function isLegacyTorchFile(blob: Blob): Promise<boolean> {
  const [first = 0, version = 0] = new Uint8Array(await blob.slice(0, 2).arrayBuffer());
  return first === 0x80 && version >= 2 && version <= 5;
}

async function refuseOtherFormats(blob: Blob, label: string): Promise<void> {
  const head = new Uint8Array(await blob.slice(0, 512).arrayBuffer());
  if (head[0] === 0x50 && head[1] === 0x4b) return;
  const ascii = String.fromCharCode(...head);
  if (await isLegacyTorchFile(blob)) {
    throw new WeightsFormatError(
      `${label}: this is a raw pickle or a file of torch before 1.6, which cannot be read by parts. Save it again: ${saveAgain(label, true)}`,
    );
  }
  if (ascii.slice(257, 262) === 'ustar') {
    throw new WeightsFormatError(
      `${label}: this is a tar file of torch before 0.4. Save it again, if you trust where it comes from (weights_only=False runs what is in it): ${saveAgain(label, false)}`,
    );
  }
  throw new WeightsFormatError(
    `${label}: expected a file of torch.save, which is a zip; it begins with ${JSON.stringify(ascii.slice(0, 16))}` +
      `${/^\s*</.test(ascii) ? ' (a web page)' : ''}. Download it again.`,
  );
}

/** The command that writes the file anew in today's form. */
function saveAgain(label: string, weightsOnly: boolean): string {
  const { name, renamed } = namesInCommand(label);
  return `python -c "import torch; torch.save(torch.load('${name}', map_location='cpu', weights_only=${weightsOnly ? 'True' : 'False'}), '${renamed}')"`;
}

/**
 * A file's name as it may stand in a command that a person runs, and the name of what the command writes. A stranger's
 * name with quotes or spaces in it is not put there.
 */
export function namesInCommand(label: string): { readonly name: string; readonly renamed: string } {
  const base = label.slice(label.lastIndexOf('/') + 1);
  const name = /^\w[\w.=-]*\.\w+$/.test(base) ? base : 'model.bin';
  return { name, renamed: name.replace(/(\.\w+)$/, '-new$1') };
}

async function checkByteOrder(zip: ZipDirectory, root: string, label: string): Promise<void> {
  const entry = zip.entries.get(`${root}byteorder`);
  if (!entry || entry.size > 16) return; // torch before 2.1 wrote none, on little-endian machines
  const order = new TextDecoder().decode(await readZipEntry(zip, entry, label));
  if (order === 'little') return;
  throw new WeightsFormatError(
    `${label}: expected little-endian numbers, the file says "${order}". Save it again on another machine.`,
  );
}

function tableOf(zip: ZipDirectory, root: string, label: string) {
  const fail = (what: string): never => {
    throw new WeightsFormatError(`${label}: ${what}. ${AGAIN}`);
  };
  const notCallable = (): never => fail('the pickle calls a storage type');
  const opaque = (): PickleValue => new PickleOpaque();
  const allowed = new Map<string, (args: readonly PickleValue[]) => PickleValue>([
    [
      'collections.OrderedDict',
      (args) => (args.length === 0 ? new PickleDict() : fail('an OrderedDict should be made empty')),
    ],
    ['torch._utils._rebuild_tensor_v2', (args) => rebuildTensor(args, fail)],
    [
      'torch._utils._rebuild_parameter',
      ([data]) => (data instanceof Tensor ? data : fail('a parameter should hold a tensor')),
    ],
    ...[...STORAGE_DTYPES.keys()].map((name): [string, () => never] => [name, notCallable]),
    ...OPAQUE_NAMES.map((name): [string, () => PickleValue] => [name, opaque]),
  ]);
  const persistent = (id: PickleValue): PickleValue => {
    const [kind, type, key, , length] = id instanceof PickleTuple ? id.items : [];
    const dtype = type instanceof PickleGlobal ? STORAGE_DTYPES.get(type.name) : undefined;
    if (kind !== 'storage' || !dtype || typeof key !== 'string' || !isSize(length)) {
      return fail('expected ("storage", type, key, device, length) as a persistent id');
    }
    const entry = zip.entries.get(`${root}data/${key}`);
    if (!entry) return fail(`the storage ${quoted(key)} is not in the zip`);
    const bytes = length * BYTES_PER_ELEMENT[dtype];
    if (entry.size !== bytes) {
      return fail(
        `expected ${bytes} bytes in the storage ${quoted(key)} (${length} of ${dtype}), it has ${entry.size}`,
      );
    }
    return new Storage(dtype, entry, length);
  };
  return { allowed, persistent };
}

function rebuildTensor(args: readonly PickleValue[], fail: (what: string) => never): Tensor {
  const [storage, offset, shape, stride] = args;
  if (
    !(storage instanceof Storage) ||
    !isSize(offset) ||
    !isSizes(shape) ||
    !isSizes(stride) ||
    shape.items.length !== stride.items.length
  ) {
    return fail(
      `a tensor should be made of a storage, an offset, and up to ${MAX_RANK} sizes and strides that are whole numbers`,
    );
  }
  const sizes = shape.items.map(Number);
  const strides = stride.items.map(Number);
  const count = elementCount(sizes);
  const last = sizes.reduce((sum, size, axis) => sum + (size - 1) * strides[axis]!, offset);
  const fits =
    count === 0 || (Number.isSafeInteger(count) && count <= storage.length && last < storage.length);
  if (!fits) {
    return fail(
      `a tensor of ${formatShape(sizes)} with strides ${formatShape(strides)} from ${offset} reaches beyond its storage of ${storage.length} elements`,
    );
  }
  return new Tensor(storage, offset, sizes, strides);
}

function isSize(value: PickleValue | undefined): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function isSizes(value: PickleValue | undefined): value is PickleTuple {
  return value instanceof PickleTuple && value.items.length <= MAX_RANK && value.items.every(isSize);
}

function findTensors(tree: PickleValue, label: string): ReadonlyMap<string, Tensor> {
  const top = tensorsOf(tree);
  if (top.size > 0) return top;
  if (tree instanceof PickleDict) {
    for (const key of NESTED_KEYS) {
      const nested = tensorsOf(tree.items.get(key) ?? null);
      if (nested.size > 0) return nested;
    }
  }
  const keys =
    tree instanceof PickleDict
      ? [...tree.items.keys()]
          .slice(0, 8)
          .map((key) => quoted(String(key)))
          .join(', ')
      : 'no dict';
  throw new WeightsFormatError(
    `${label}: expected a state dict (names and tensors) at the top or under ${NESTED_KEYS.join(', ')}; the file has ${keys || 'nothing'}. Save model.state_dict().`,
  );
}

function tensorsOf(value: PickleValue): ReadonlyMap<string, Tensor> {
  const tensors = new Map<string, Tensor>();
  if (!(value instanceof PickleDict)) return tensors;
  for (const [name, item] of value.items) if (item instanceof Tensor) tensors.set(String(name), item);
  return tensors;
}

async function readTensor(
  zip: ZipDirectory,
  tensor: Tensor,
  verified: Map<ZipEntry, Promise<void>>,
  label: string,
): Promise<Uint8Array> {
  const { storage, offset, shape, stride } = tensor;
  const { entry } = storage;
  if (elementCount(shape) === 0) return new Uint8Array(0);
  const width = BYTES_PER_ELEMENT[storage.dtype];
  const content = await zip.content(entry);
  const span = shape.reduce((sum, size, axis) => sum + (size - 1) * stride[axis]!, 1);
  const bytes = new Uint8Array(await content.slice(offset * width, (offset + span) * width).arrayBuffer());
  if (bytes.byteLength === entry.size) {
    checkCrc(entry, crc32(bytes), label);
  } else {
    // A view of a storage that others share: the whole of it is checked, once.
    let check = verified.get(entry);
    if (!check) {
      check = verifyContent(content, entry, label);
      verified.set(entry, check);
    }
    await check;
  }
  return isContiguous(shape, stride) ? bytes : gather(bytes, shape, stride, width);
}

async function verifyContent(content: Blob, entry: ZipEntry, label: string): Promise<void> {
  let crc = 0;
  for (let start = 0; start < content.size; start += CRC_PART_BYTES) {
    const part = await content.slice(start, start + CRC_PART_BYTES).arrayBuffer();
    crc = crc32(new Uint8Array(part), crc);
    releaseBuffer(part);
  }
  checkCrc(entry, crc, label);
}

function isContiguous(shape: readonly number[], stride: readonly number[]): boolean {
  return shape.every((size, axis) => size === 1 || stride[axis] === elementCount(shape.slice(axis + 1)));
}

/** Copies a strided view (a transposed weight, an expanded bias) to row-major order. */
function gather(
  source: Uint8Array,
  shape: readonly number[],
  stride: readonly number[],
  width: number,
): Uint8Array {
  const count = elementCount(shape);
  const target = new Uint8Array(count * width);
  const index = shape.map(() => 0);
  let from = 0;
  for (let position = 0; position < count; position += 1) {
    for (let byte = 0; byte < width; byte += 1)
      target[position * width + byte] = source[from * width + byte]!;
    for (let axis = shape.length - 1; axis >= 0; axis -= 1) {
      index[axis]! += 1;
      from += stride[axis]!;
      if (index[axis]! < shape[axis]!) break;
      from -= stride[axis]! * shape[axis]!;
      index[axis] = 0;
    }
  }
  return target;
}
