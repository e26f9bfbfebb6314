import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { TangoPipeline } from '../../src/diffusion/pipelines/tango-pipeline';
import type { TangoRequest } from '../../src/diffusion/pipelines/tango-request';
import { loadFixture, relativeError, startBackend } from '../../src/testing';
import { folderFromFiles, type ModelFolder } from '../../src/weights';

/**
 * Every stage of the default model against reference.py, on wasm, relative to the reference's RMS: the largest error
 * up to the mel at most 1e-3; of the waveform the RMS error, since single samples of PyTorch's own float32 are further
 * off (its figures are printed beside ours).
 */
const fixture = await loadFixture(pathToFileURL('.cache/check-default-model/reference.safetensors'));
const float32Error = fixture.metadata<Record<string, { max: number; rms: number }>>('float32_error');
const requests = fixture.metadata<Record<string, TangoRequest>>('requests');

function relativeRmsError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  let error = 0;
  let energy = 0;
  for (let i = 0; i < expected.length; i += 1) {
    error += (actual[i]! - expected[i]!) ** 2;
    energy += expected[i]! ** 2;
  }
  return Math.sqrt(error / energy);
}

async function folderOnDisk(root: string): Promise<ModelFolder> {
  const names = await readdir(root, { recursive: true, withFileTypes: true });
  const files = names
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name));
  return folderFromFiles(
    await Promise.all(
      files.map(async (file) => ({
        path: path.relative(root, file),
        blob: new Blob([new Uint8Array(await readFile(file))]),
      })),
    ),
  );
}

describe('the default model equals PyTorch', () => {
  let pipeline: TangoPipeline;
  beforeAll(async () => {
    await startBackend('wasm');
    pipeline = await TangoPipeline.load(await folderOnDisk(fixture.metadata('folder')));
  }, 60_000);

  it.each(Object.keys(requests))('%s', async (name) => {
    const request = requests[name]!;
    const started = performance.now();
    const { stages } = await pipeline.run({ ...request, returnStages: true });
    const seconds = (performance.now() - started) / 1000;
    const { inputIds } = await pipeline.encodeText([request.negativePrompt, request.prompt]);
    expect(inputIds.flat()).toEqual([...fixture.values(`${name}/ids`).data]);

    const expected = (stage: string) => fixture.values(`${name}/${stage}`).data;
    const errors = {
      text: relativeError(stages!.textStates.data, expected('text_states')),
      latents: relativeError(
        stages!.latents.at(-1)!.data,
        expected('latents').slice(-stages!.initialLatents.data.length),
      ),
      mel: relativeError(stages!.mel.data, expected('mel')),
      waveform: relativeRmsError(stages!.waveform.data, expected('waveform')),
    };
    const waveformMax = relativeError(stages!.waveform.data, expected('waveform'));
    console.info(`${name}: ${seconds.toFixed(1)} s`, {
      ...errors,
      waveformMax,
      pytorchFloat32: float32Error[name],
    });
    for (const error of Object.values(errors)) expect(error).toBeLessThan(1e-3);
  });
});
