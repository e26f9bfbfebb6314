import { beforeAll, describe, expect, it } from 'vitest';
import { expectClose, expectNoLeak, forEachBackend, tinyAudioldm, tinyTango } from '../../testing';
import { folderFromFiles } from '../../weights';
import { checkTangoComponents } from './tango-components';
import { TangoPipeline } from './tango-pipeline';

const tiny = await tinyAudioldm();
const request = { ...tiny.request, prompt: tiny.prompt };
const replaced = (path: string, json: unknown) =>
  folderFromFiles([
    ...tiny.files.filter((file) => file.path !== path),
    { path, blob: new Blob([JSON.stringify(json)]) },
  ]);

forEachBackend('AudioLDM', () => {
  let pipeline: TangoPipeline;
  beforeAll(async () => {
    pipeline = await TangoPipeline.load(tiny.folder);
  });

  it('gives the embeddings, latents, mel and sound of AudioLDMPipeline', async () => {
    const { audio, stages } = await pipeline.run({ ...request, returnStages: true });
    const tolerance = { relativeToRms: 1e-3 };
    const { data, shape } = tiny.fixture.values('embeds');
    await expectClose(
      stages!.textStates,
      { data, shape: [shape[0]!, 1, shape[1]!] },
      { ...tolerance, label: 'embeddings' },
    );
    expect([...stages!.textMask.data]).toEqual([1, 1]);
    const latents = tiny.fixture.values('latents');
    const size = latents.data.length / stages!.latents.length;
    for (const [step, own] of stages!.latents.entries()) {
      const expected = { data: latents.data.slice(step * size, (step + 1) * size), shape: own.shape };
      await expectClose(own, expected, { ...tolerance, label: `step ${step}` });
    }
    await expectClose(stages!.mel, tiny.fixture.values('mel'), { ...tolerance, label: 'mel' });
    const sound = tiny.fixture.values('audio');
    await expectClose({ data: audio, shape: sound.shape }, sound, { ...tolerance, label: 'audio' });
  });

  it('its stages can be asked for one by one, and leave nothing behind', async () => {
    const { states, mask } = await pipeline.encodeText(['rain', 'a dog']);
    expect(states.shape).toEqual([2, 1, tiny.fixture.values('embeds').shape[1]]);
    const sample = { data: new Float32Array(2 * 4 * 32 * 4).fill(0.5), shape: [2, 4, 32, 4] };
    const input = { sample, timestep: 501, textStates: states, textMask: mask };
    expect((await pipeline.predict(input)).shape).toEqual(sample.shape);
    await expectNoLeak(async () => void (await pipeline.predict(input)));
    await expectNoLeak(async () => void (await pipeline.run(request)));
  });

  it('says what it is made of', () => {
    expect(pipeline.components[0]).toMatchObject({ className: 'ClapTextModelWithProjection' });
    pipeline.dispose();
  });
});

describe('what is not an AudioLDM is refused in words', () => {
  it('a text encoder of another width', async () => {
    const unet = tiny.fixture.metadata<Record<string, object>>('configs').unet!;
    const folder = replaced('unet/config.json', { ...unet, projection_class_embeddings_input_dim: 25 });
    await expect(checkTangoComponents(folder)).rejects.toThrow(
      /projection_class_embeddings_input_dim is 25, but the text encoder’s width makes it 24/,
    );
  });

  it('Tango’s UNet with CLAP', async () => {
    const tango = await tinyTango();
    const unet = tango.files.filter(({ path }) => path.startsWith('unet/'));
    const folder = folderFromFiles([...tiny.files.filter(({ path }) => !path.startsWith('unet/')), ...unet]);
    await expect(checkTangoComponents(folder)).rejects.toThrow(
      /ClapTextModelWithProjection is no text encoder for a UNet without a class embedding/,
    );
  });
});
