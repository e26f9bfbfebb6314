import { openKeyValueStore } from '../../src/engine/host/key-value-store';
import { chunkKey, ModelStore, readChunk } from '../../src/engine/host/model-store';
import type { ModelSummary } from '../../src/engine/protocol';
import { openComponentStateDict } from '../../src/weights';

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

function safetensors(bytes: number): Blob {
  const count = Math.ceil(bytes / TENSOR_BYTES);
  const data = new Uint8Array(TENSOR_BYTES).map((_, i) => (i * 2654435761) >>> 13);
  const header = Object.fromEntries(
    Array.from({ length: count }, (_, i) => [
      `weight.${i}`,
      { dtype: 'F16', shape: [TENSOR_BYTES / 2], data_offsets: [i * TENSOR_BYTES, (i + 1) * TENSOR_BYTES] },
    ]),
  );
  const json = new TextEncoder().encode(JSON.stringify(header));
  const length = new DataView(new ArrayBuffer(8));
  length.setBigUint64(0, BigInt(json.byteLength), true);
  return new Blob([length, json, ...Array.from({ length: count }, () => data)]);
}

async function rate(bytes: number, work: () => Promise<void>): Promise<number> {
  const started = performance.now();
  await work();
  return bytes / 1e6 / ((performance.now() - started) / 1000);
}

async function readRaw(size: number): Promise<void> {
  let read = 0;
  for (let index = 0; read < size; index++) {
    const chunk = readChunk(await values.get(chunkKey(ID, PATH, index)));
    if (!chunk) throw new Error(`Chunk ${index} is not there.`);
    read += (await chunk.blob.arrayBuffer()).byteLength;
  }
}

async function readModel(device: GPUDevice): Promise<void> {
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
    await device.queue.onSubmittedWorkDone();
  }
  buffer.destroy();
}

async function measure({ phase, bytes }: StorageRequest): Promise<StorageRates> {
  const file = safetensors(bytes);
  if (phase === 'write') {
    const summary = { id: ID, name: ID } as ModelSummary;
    return {
      writeMBs: await rate(
        file.size,
        async () => void (await store.save(summary, [{ path: PATH, blob: file }])),
      ),
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
  await readRaw(file.size); // both find the operating system's cache as warm
  await readModel(device);
  // In turns: what else the machine does meets both.
  const raw: number[] = [];
  const model: number[] = [];
  for (let run = 0; run < 5; run++) {
    raw.push(await rate(file.size, () => readRaw(file.size)));
    model.push(await rate(file.size, () => readModel(device)));
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
