import { downloadZip } from 'client-zip';
import type { StudioEngine } from '../../../engine/protocol';
import type { MetricsFormat, TrainRun } from '../../../engine/protocol-training';

export interface ExportFile {
  readonly name: string;
  readonly blob: Blob;
}

export type ExportKind = MetricsFormat | 'peft' | 'diffusers' | 'merged-diffusers' | 'merged-tango';

export const exportLabels: Readonly<Record<ExportKind, string>> = {
  peft: 'Adapter for PEFT (zip)',
  diffusers: 'Adapter for diffusers',
  'merged-diffusers': 'Merged UNet, diffusers’ names',
  'merged-tango': 'Merged UNet, Tango’s names',
  jsonl: 'metrics.jsonl',
  csv: 'metrics.csv',
  tensorboard: 'TensorBoard events (zip)',
};

/** What a run can be exported as: one that trained the whole UNet has no adapter. */
export function exportKinds({ settings }: TrainRun): readonly ExportKind[] {
  const kinds = Object.keys(exportLabels) as ExportKind[];
  return settings?.trains === 'unet'
    ? kinds.filter((kind) => kind !== 'peft' && kind !== 'diffusers')
    : kinds;
}

/** A run as a file. All but the CSV say which run they are of: in the first line, the metadata, or a file beside it. */
export async function exportRun(
  train: StudioEngine['train'],
  run: TrainRun,
  kind: ExportKind,
): Promise<ExportFile> {
  const stem =
    run.name
      .replace(/[^\p{L}\p{N}]+/gu, '-')
      .replace(/^-+|-+$/g, '')
      .slice(0, 60) || 'run';
  switch (kind) {
    case 'jsonl':
    case 'csv': {
      const { path, blob } = await train.exportMetrics(run.id, kind);
      return { name: `${stem}_${path}`, blob };
    }
    case 'tensorboard': {
      // In a folder of the run's name, by which TensorBoard knows it.
      const { path, blob } = await train.exportMetrics(run.id, kind);
      const entry = { name: `${stem}/${path}`, input: blob };
      return { name: `${stem}_tensorboard.zip`, blob: await downloadZip([entry]).blob() };
    }
    case 'peft': {
      const files = (await train.exportAdapter(run.id)).filter(({ path }) => path.startsWith('adapter_'));
      const entries = files.map(({ path, blob }) => ({ name: path, input: blob }));
      const config = { name: 'run.json', input: JSON.stringify(run, null, 2) };
      return { name: `${stem}_peft.zip`, blob: await downloadZip([...entries, config]).blob() };
    }
    case 'diffusers': {
      const files = await train.exportAdapter(run.id);
      const file = files.find(({ path }) => path === 'pytorch_lora_weights.safetensors');
      return { name: 'pytorch_lora_weights.safetensors', blob: file?.blob ?? new Blob() };
    }
    case 'merged-diffusers': {
      const { blob } = await train.exportMerged(run.id, 'diffusers');
      return { name: 'diffusion_pytorch_model.safetensors', blob };
    }
    case 'merged-tango': {
      const { path, blob } = await train.exportMerged(run.id, 'tango');
      return { name: path, blob };
    }
  }
}

/** Blob addresses live until the browser has read them; a minute is ample for a save dialog to begin. */
const REVOKE_AFTER_MS = 60_000;

export function saveFile({ name, blob }: ExportFile): void {
  const url = URL.createObjectURL(blob);
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), REVOKE_AFTER_MS);
}
