/**
 * A WebGPU device that accepts everything and computes nothing: a whole pass of a model of any size runs through
 * tfjs's real backend and the real programs, so that dispatches, bytes and buffers are counted and not estimated.
 * For Node, which has no WebGPU of its own to be confused with.
 */

/** What every WebGPU adapter grants. */
const DEFAULT_LIMITS = {
  maxBufferSize: 256 * 2 ** 20,
  maxStorageBufferBindingSize: 128 * 2 ** 20,
  maxComputeWorkgroupsPerDimension: 65_535,
  maxComputeWorkgroupStorageSize: 16_384,
  minUniformBufferOffsetAlignment: 256,
};

class PlannedBuffer {
  readonly mapState = 'unmapped';
  constructor(
    readonly size: number,
    readonly usage: number,
  ) {}
  /** Uploads are small here: weights are made without values. */
  getMappedRange(): ArrayBuffer {
    return new ArrayBuffer(this.size);
  }
  unmap(): void {}
  destroy(): void {}
}

class PlannedTexture {}

/** The names that tfjs looks up in the global scope. */
const GLOBALS = {
  GPUBuffer: PlannedBuffer,
  GPUTexture: PlannedTexture,
  GPUBufferUsage: {
    MAP_READ: 1,
    MAP_WRITE: 2,
    COPY_SRC: 4,
    COPY_DST: 8,
    UNIFORM: 64,
    STORAGE: 128,
    QUERY_RESOLVE: 512,
  },
};

/** Gives Node the names that tfjs's backend asks for. @returns what takes them away again */
export function provideWebGpuNames(): () => void {
  const navigator = { ...globalThis.navigator, gpu: {} };
  const names: Record<string, unknown> = { ...GLOBALS, navigator };
  const before = Object.keys(names).map(
    (name) => [name, Object.getOwnPropertyDescriptor(globalThis, name)] as const,
  );
  for (const [name, value] of Object.entries(names)) {
    Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  }
  return () => {
    for (const [name, descriptor] of before) {
      if (descriptor) Object.defineProperty(globalThis, name, descriptor);
      else Reflect.deleteProperty(globalThis, name);
    }
  };
}

/** The device. `provideWebGpuNames` comes first. */
export function planningDevice(): GPUDevice {
  const pass = { setPipeline() {}, setBindGroup() {}, dispatchWorkgroups() {}, end() {} };
  const encoder = {
    beginComputePass: () => pass,
    copyBufferToBuffer() {},
    finish: () => ({}),
  };
  const device = {
    features: new Set<string>(),
    limits: DEFAULT_LIMITS,
    queue: { submit() {}, writeBuffer() {} },
    createBuffer: ({ size, usage }: GPUBufferDescriptor) => new PlannedBuffer(size, usage),
    createShaderModule: () => ({}),
    createComputePipeline: () => ({ getBindGroupLayout: () => ({}) }),
    createBindGroup: () => ({}),
    createCommandEncoder: () => encoder,
    destroy() {},
  };
  return device as unknown as GPUDevice;
}
