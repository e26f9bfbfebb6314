import { beforeAll, describe, expect, it } from 'vitest';
import { startBackend, tangoAsDiffusers, tangoReleased } from '../../testing';
import { folderFromFiles, type ModelFolder } from '../../weights';
import { TangoPipeline } from '../pipelines/tango-pipeline';
import { openTangoReleased } from './tango-released';

const released = await tangoReleased();

async function soundOf(folder: ModelFolder): Promise<Float32Array> {
  const pipeline = await TangoPipeline.load(folder);
  try {
    return (await pipeline.run(released.request)).audio;
  } finally {
    pipeline.dispose();
  }
}

describe('one checkpoint in several formats makes one sound, bit for bit', () => {
  let expected: Float32Array;
  beforeAll(async () => {
    await startBackend('wasm');
    expected = await soundOf((await openTangoReleased(folderFromFiles(released.files)))!);
  });

  it('the published .bin files make one', () => {
    expect(Math.max(...expected)).toBeGreaterThan(0.01);
  });

  it('a diffusers folder of safetensors', async () => {
    const files = await tangoAsDiffusers(released);
    expect(files.filter(({ path }) => path.endsWith('.safetensors'))).toHaveLength(4);
    expect(await soundOf(folderFromFiles(files))).toEqual(expected);
  });

  it('the same in shards', async () => {
    const files = await tangoAsDiffusers(released, 60);
    expect(files.filter(({ path }) => path.endsWith('.index.json')).length).toBeGreaterThan(1);
    expect(files.filter(({ path }) => path.endsWith('.safetensors')).length).toBeGreaterThan(8);
    expect(await soundOf(folderFromFiles(files))).toEqual(expected);
  });
});
