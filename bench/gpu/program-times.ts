/** Milliseconds on the GPU by program: each dispatch in a compute pass of its own, between two timestamps. */
import type { WebGPUBackend, WebGPUProgram } from '@tensorflow/tfjs-backend-webgpu';

/** The largest query set of WebGPU. */
const QUERIES = 4096;

export interface ProgramTime {
  readonly dispatches: number;
  readonly milliseconds: number;
}

interface Encoding {
  commandEncoder: GPUCommandEncoder;
  computePassEncoder: GPUComputePassEncoder | null;
  recordAndSubmit(program: WebGPUProgram, ...rest: unknown[]): void;
}

/**
 * Times every program that the backend runs until `stop`; the device needs `timestamp-query`.
 *
 * @param nameOf what is added up under one name
 */
export function timePrograms(
  backend: WebGPUBackend,
  nameOf: (program: WebGPUProgram) => string,
): { stop(): Promise<Readonly<Record<string, ProgramTime>>> } {
  const encoding = backend as unknown as Encoding;
  const { device } = backend;
  const original = encoding.recordAndSubmit;
  const names: string[] = [];
  const sets: GPUQuerySet[] = [];
  encoding.recordAndSubmit = (program, ...rest) => {
    const first = (2 * names.length) % QUERIES;
    if (first === 0) sets.push(device.createQuerySet({ type: 'timestamp', count: QUERIES }));
    backend.ensureCommandEncoderReady();
    backend.endComputePassEncoder();
    encoding.computePassEncoder = encoding.commandEncoder.beginComputePass({
      timestampWrites: {
        querySet: sets.at(-1)!,
        beginningOfPassWriteIndex: first,
        endOfPassWriteIndex: first + 1,
      },
    });
    names.push(nameOf(program));
    original.call(backend, program, ...rest);
    backend.endComputePassEncoder();
  };
  return {
    async stop() {
      encoding.recordAndSubmit = original;
      const found: Record<string, ProgramTime> = {};
      for (const [at, set] of sets.entries()) {
        const nanoseconds = await read(device, set);
        for (const [i, name] of names.slice((at * QUERIES) / 2, ((at + 1) * QUERIES) / 2).entries()) {
          const { dispatches, milliseconds } = found[name] ?? { dispatches: 0, milliseconds: 0 };
          const took = Number(nanoseconds[2 * i + 1]! - nanoseconds[2 * i]!) / 1e6;
          found[name] = { dispatches: dispatches + 1, milliseconds: milliseconds + took };
        }
        set.destroy();
      }
      return found;
    },
  };
}

async function read(device: GPUDevice, set: GPUQuerySet): Promise<BigInt64Array> {
  const size = 8 * QUERIES;
  const resolved = device.createBuffer({
    size,
    usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC,
  });
  const mapped = device.createBuffer({ size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
  const encoder = device.createCommandEncoder();
  encoder.resolveQuerySet(set, 0, QUERIES, resolved, 0);
  encoder.copyBufferToBuffer(resolved, 0, mapped, 0, size);
  device.queue.submit([encoder.finish()]);
  await mapped.mapAsync(GPUMapMode.READ);
  const values = new BigInt64Array(mapped.getMappedRange().slice(0));
  resolved.destroy();
  mapped.destroy();
  return values;
}
