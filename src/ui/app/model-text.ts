import type { EngineInfo, LoadProgress, ModelSummary } from '../../engine/protocol';
import type { HelperSummary, ListenerSummary } from '../../engine/protocol-helpers';

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
  return weightsFacts(model).join(', ');
}

/** Parameters, bytes and, where it is known, precision. */
export function weightsFacts({
  parameterCount,
  bytes,
  precision,
}: Pick<ListenerSummary, 'parameterCount' | 'bytes' | 'precision'>): readonly string[] {
  const words = { float16: '16-bit', float32: '32-bit', mixed: '16- and 32-bit' };
  const known = precision ? [words[precision]] : [];
  return [`${(parameterCount / 1e6).toFixed(1)} M parameters`, bytesText(bytes), ...known];
}

export function sourceText({ source, origin }: Pick<HelperSummary, 'source' | 'origin'>): string {
  if (source === 'bundled') return 'bundled';
  return origin ? `downloaded from ${new URL(origin.hubUrl).host}` : 'imported';
}

/** What a check of a kept model found. */
export function checkText(damaged: readonly string[]): string {
  return damaged.length === 0
    ? 'Checked: every byte is as it was kept.'
    : `Damaged: ${damaged.join(', ')}. Remove the model, then download or import it again.`;
}

/** "WebGPU on Apple M3", where the browser tells no name "WebGPU on nvidia ampere", or "WebAssembly, 2 threads". */
export function backendText(info: EngineInfo): string {
  if (info.backend === 'webgpu') {
    const { description = '', vendor = '', architecture = '' } = info.adapter ?? {};
    const adapter = description || `${vendor} ${architecture}`.trim();
    return adapter ? `WebGPU on ${adapter}` : 'WebGPU';
  }
  return `WebAssembly, ${threadsText(info)}`;
}

export function threadsText({ wasm: { threads } }: EngineInfo): string {
  return `${threads} ${threads === 1 ? 'thread' : 'threads'}`;
}
