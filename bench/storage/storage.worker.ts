import { openKeyValueStore } from '../../src/engine/host/key-value-store';
import { chunkKey, type FileToKeep, ModelStore, readChunk } from '../../src/engine/host/model-store';
import type { ModelSummary } from '../../src/engine/protocol';
import { openComponentStateDict, type StateDict, writeSafetensors } from '../../src/weights';

export interface StorageRequest {
  readonly phase: 'write' | 'read' | 'remove';
  readonly bytes: number;
}

export interface StorageRates {
  readonly writeMBs?: number;
  /** Chunk Blobs to ArrayBuffers, nothing else. */
  readonly rawMBs?: number;
  /** The model's own path: folder, header, tensor after tensor into one GPU buffer. */
  readonly modelMBs?: number;
}

const ID = 'bench';
const PATH = 'unet/diffusion_pytorch_model.safetensors';
/** A tensor of Tango 2's UNet: 1280 x 1280 x 3 x 3 in float16. */
const TENSOR_BYTES = 1280 * 1280 * 9 * 2;

const values = openKeyValueStore('tango-studio-bench');
const store = new ModelStore(values);

/** Written tensor after tensor, as an import converts them: no Blob of the whole file is ever made. */
function weightsFile(bytes: number): FileToKeep {
  const count = Math.ceil(bytes / TENSOR_BYTES);
  const data = new Uint8Array(TENSOR_BYTES).map((_, i) => (i * 2654435761) >>> 13);
  const dtype = 'F16';
  const shape = [TENSOR_BYTES / 2];
  const tensors: StateDict = {
    names: () => Array.from({ length: count }, (_, i) => `weight.${i}`),
    entry: () => ({ dtype, shape, byteLength: TENSOR_BYTES }),
    read: async (name) => ({ name, dtype, shape, bytes: data }),
  };
  return {
    path: PATH,
    expectedBytes: count * TENSOR_BYTES,
    write: (put) => writeSafetensors(tensors, put),
  };
}

/** @param work returns how many bytes it moved */
async function rate(work: () => Promise<number>): Promise<number> {
  const started = performance.now();
  const bytes = await work();
  return bytes / 1e6 / ((performance.now() - started) / 1000);
}

async function readRaw(): Promise<number> {
  let read = 0;
  for (let index = 0; ; index++) {
    const chunk = readChunk(await values.get(chunkKey(ID, PATH, index)));
    if (!chunk) break;
    read += (await chunk.blob.arrayBuffer()).byteLength;
  }
  if (read === 0) throw new Error('No chunk is there.');
  return read;
}

async function readModel(device: GPUDevice): Promise<number> {
  let read = 0;
  const found = await store.open(ID);
  if (!found) throw new Error('The model is not there.');
  const weights = await openComponentStateDict(found.folder, 'unet');
  const buffer = device.createBuffer({
    size: TENSOR_BYTES,
    usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST,
  });
  for (const name of weights.names()) {
    const { bytes } = await weights.read(name);
    device.queue.writeBuffer(buffer, 0, bytes as Uint8Array<ArrayBuffer>);
    read += bytes.byteLength;
    await device.queue.onSubmittedWorkDone();
  }
  buffer.destroy();
  return read;
}

async function measure({ phase, bytes }: StorageRequest): Promise<StorageRates> {
  if (phase === 'write') {
    const summary = { id: ID, name: ID } as ModelSummary;
    // A file beside the weights' folder, as every model has one: a folder common to all would be dropped.
    const index = { path: 'model_index.json', blob: new Blob(['{}']) };
    return {
      writeMBs: await rate(async () => {
        await store.save(summary, [index, weightsFile(bytes)]);
        return bytes;
      }),
    };
  }
  if (phase === 'remove') {
    await store.remove(ID);
    if ((await values.keys()).length > 0) throw new Error('Removing left something behind.');
    return {};
  }
  const adapter = await navigator.gpu?.requestAdapter();
  const device = await adapter?.requestDevice();
  if (!device) throw new Error('There is no WebGPU adapter to write to.');
  await readRaw(); // both find the operating system's cache as warm
  await readModel(device);
  // In turns: what else the machine does meets both.
  const raw: number[] = [];
  const model: number[] = [];
  for (let run = 0; run < 5; run++) {
    raw.push(await rate(readRaw));
    model.push(await rate(() => readModel(device)));
  }
  device.destroy();
  return { rawMBs: median(raw), modelMBs: median(model) };
}

function median(rates: number[]): number {
  return rates.sort((a, b) => a - b)[rates.length >> 1]!;
}

self.onmessage = ({ data }: MessageEvent<StorageRequest>) => {
  measure(data).then(
    (rates) => self.postMessage(rates),
    (error: unknown) => self.reportError(error),
  );
};
