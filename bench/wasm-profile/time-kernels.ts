import * as tf from '@tensorflow/tfjs-core';
import { WasmKernels } from '../../src/gpu/wasm-kernels/wasm-kernels';

export interface KernelTime {
  /** tfjs's name; of the studio's own kernels on the heap `own <name>`. */
  readonly kernel: string;
  readonly calls: number;
  /** Without the kernels that it called: of a kernel that calls one of the studio's own, the JavaScript around it. */
  readonly milliseconds: number;
}

/**
 * Wraps every wasm kernel that is registered by now, and the studio's own; the returned function gives the times since its
 * last call, the longest first.
 */
export function timeKernels(): () => KernelTime[] {
  const times = new Map<string, { calls: number; milliseconds: number }>();
  const inside: number[] = [];
  const timed = <T>(kernel: string, run: () => T): T => {
    inside.push(0);
    const started = performance.now();
    try {
      return run();
    } finally {
      const elapsed = performance.now() - started;
      const own = elapsed - (inside.pop() ?? 0);
      if (inside.length > 0) inside[inside.length - 1]! += elapsed;
      const known = times.get(kernel) ?? { calls: 0, milliseconds: 0 };
      times.set(kernel, { calls: known.calls + 1, milliseconds: known.milliseconds + own });
    }
  };
  for (const config of tf.getKernelsForBackend('wasm')) {
    const { kernelName, kernelFunc } = config;
    tf.unregisterKernel(kernelName, 'wasm');
    tf.registerKernel({ ...config, kernelFunc: (args) => timed(kernelName, () => kernelFunc(args)) });
  }
  const { run } = WasmKernels.prototype;
  WasmKernels.prototype.run = function (...args) {
    timed(`own ${args[0]}`, () => run.apply(this, args));
  };
  return () => {
    const list = [...times].map(([kernel, { calls, milliseconds }]) => ({ kernel, calls, milliseconds }));
    times.clear();
    return list.sort((a, b) => b.milliseconds - a.milliseconds);
  };
}
