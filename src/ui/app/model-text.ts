import type { EngineInfo, LoadProgress, ModelSummary } from '../../engine/protocol';

/** Bytes as people read them, decimal as disks and downloads are: "28.4 MB". */
export function bytesText(bytes: number): string {
  if (bytes < 1e3) return `${bytes} B`;
  if (bytes < 1e6) return `${(bytes / 1e3).toFixed(0)} kB`;
  if (bytes < 1e9) return `${(bytes / 1e6).toFixed(1)} MB`;
  return `${(bytes / 1e9).toFixed(2)} GB`;
}

export function loadText(progress: LoadProgress | null): string {
  if (!progress || progress.totalBytes === 0) return 'Loading the model…';
  const { label, loadedBytes, totalBytes } = progress;
  return `${label}: ${bytesText(loadedBytes)} of ${bytesText(totalBytes)}`;
}

export function loadFraction(progress: LoadProgress | null): number | null {
  return progress && progress.totalBytes > 0 ? progress.loadedBytes / progress.totalBytes : null;
}

/** "13.1 M parameters, 26.3 MB, 16-bit". */
export function modelFacts(model: ModelSummary): string {
  const precision = { float16: '16-bit', float32: '32-bit', mixed: '16- and 32-bit' }[model.precision];
  return `${(model.parameterCount / 1e6).toFixed(1)} M parameters, ${bytesText(model.bytes)}, ${precision}`;
}

/** "WebGPU on Apple M3" or "WebAssembly, 2 threads". */
export function backendText(info: EngineInfo): string {
  if (info.backend === 'webgpu') {
    const adapter = info.adapter?.description || info.adapter?.vendor;
    return adapter ? `WebGPU on ${adapter}` : 'WebGPU';
  }
  return `WebAssembly, ${threadsText(info)}`;
}

export function threadsText({ wasm: { threads } }: EngineInfo): string {
  return `${threads} ${threads === 1 ? 'thread' : 'threads'}`;
}
