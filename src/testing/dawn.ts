/**
 * Setup of the `dawn` project: WebGPU in Node (Dawn), on the adapter that `tools/scripts/dawn.mjs` finds. Mesa's
 * llvmpipe runs shaders on the processor as SwiftShader does, and has shader-f16, which SwiftShader lacks.
 */

import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll } from 'vitest';
import { create, globals } from 'webgpu';
import { vulkanEnvironment } from '../../tools/scripts/dawn.mjs';

// Before the first adapter is asked for: the Vulkan loader reads it then.
Object.assign(process.env, vulkanEnvironment());
Object.assign(globalThis, globals);
Object.defineProperty(globalThis, 'navigator', { value: { gpu: create([]) }, configurable: true });

// Node does not end while Dawn's instance is held.
afterAll(() => {
  (tf.findBackend('webgpu') as WebGPUBackend | null)?.device.destroy();
  Reflect.deleteProperty(globalThis, 'navigator');
});
