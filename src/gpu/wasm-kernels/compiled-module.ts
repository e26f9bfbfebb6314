import { KERNEL_MODULES } from './modules';

const compiled = new Map<string, WebAssembly.Module>();

/** The module for this memory: with relaxed SIMD, whose multiply-add is one instruction, where the engine has it. */
export function compiledFor(memory: WebAssembly.Memory): WebAssembly.Module {
  const kind =
    typeof SharedArrayBuffer === 'function' && memory.buffer instanceof SharedArrayBuffer
      ? 'shared'
      : 'single';
  const known = compiled.get(kind);
  if (known) return known;
  const relaxed = bytesOf(KERNEL_MODULES[`${kind}Relaxed`]);
  const bytes = WebAssembly.validate(relaxed) ? relaxed : bytesOf(KERNEL_MODULES[kind]);
  const module = new WebAssembly.Module(bytes);
  compiled.set(kind, module);
  return module;
}

function bytesOf(base64: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}
