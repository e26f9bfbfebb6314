import { defaultClientConditions } from 'vite';

/**
 * What transformers.js computes with. It asks for ONNX Runtime's WebGPU build; the studio embeds on WebAssembly, whose
 * build is half the size, and serves its two files itself: the build that has them inside would start its threads from
 * the file that holds everything else, too.
 */
export const onnxRuntime = {
  alias: { 'onnxruntime-web/webgpu': 'onnxruntime-web/wasm' },
  conditions: ['onnxruntime-web-use-extern-wasm', ...defaultClientConditions],
};
