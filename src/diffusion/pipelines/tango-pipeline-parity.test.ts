import { afterAll, beforeAll, expect, it } from 'vitest';
import { JobCancelledError, NonFiniteError } from '../../common/errors';
import { expectClose, expectNoLeak, forEachBackend, tinyTango } from '../../testing';
import { TangoPipeline, type TangoStage } from './tango-pipeline';
import type { TangoRequest } from './tango-request';

/** What every backend has to show: PyTorch's numbers at every stage, and memory as it was. */
const tiny = await tinyTango();
const requestOf = (name: string): TangoRequest => ({ prompt: tiny.prompt, ...tiny.requests[name]! });
const inBrowser = typeof window !== 'undefined';

/** The software GPU of the browser tests takes seconds for a pass: one guided request of three steps there. */
const requests = inBrowser ? ['short'] : Object.keys(tiny.requests);

/** fp32, of the reference's RMS: a model, a trajectory and the sound of it 1e-3. */
const MODEL = { relativeToRms: 1e-3 };

forEachBackend('TangoPipeline', () => {
  let pipeline: TangoPipeline;
  beforeAll(async () => {
    pipeline = await TangoPipeline.load(tiny.folder);
  });
  afterAll(() => pipeline.dispose());

  it.each(requests)('equals PyTorch at every stage: %s', async (name) => {
    const request = requestOf(name);
    const { stages, audio, mel } = await pipeline.run({ ...request, returnStages: true });
    const expected = (stage: string) => tiny.fixture.values(`${name}/${stage}`);

    await expectClose(stages!.textStates, expected('text_states'), { ...MODEL, label: 'text states' });
    expect(stages!.textMask.data).toEqual(expected('text_mask').data);
    await expectClose(stages!.initialLatents, expected('initial_latents'), {
      relativeToRms: 1e-5,
      label: 'initial latents',
    });
    expect(stages!.timesteps).toEqual([...expected('timesteps').data]);
    const latents = expected('latents');
    const size = latents.data.length / request.steps;
    for (const [step, actual] of stages!.latents.entries()) {
      const data = latents.data.slice(step * size, (step + 1) * size);
      await expectClose(
        actual,
        { data, shape: latents.shape.slice(1) },
        { ...MODEL, label: `latents after step ${step}` },
      );
    }
    await expectClose(stages!.mel, expected('mel'), { ...MODEL, label: 'mel' });
    await expectClose(stages!.waveform, expected('waveform'), { ...MODEL, label: 'waveform' });

    expect(audio).toEqual(stages!.waveform.data.slice(0, request.durationSeconds * pipeline.sampleRateHz));
    expect(mel.frames).toBe(request.durationSeconds * 100);
    expect(mel.data).toEqual(stages!.mel.data.slice(0, mel.frames * mel.melBins));
  });

  it('equals PyTorch with weights of a float16 file', async () => {
    const half = await TangoPipeline.load((await tinyTango('F16')).folder);
    const { stages } = await half.run({ ...requestOf('short'), returnStages: true });
    const expected = (stage: string) => tiny.fixture.values(`short-f16/${stage}`);
    await expectClose(stages!.textStates, expected('text_states'), { ...MODEL, label: 'text states' });
    await expectClose(stages!.mel, expected('mel'), { ...MODEL, label: 'mel' });
    await expectClose(stages!.waveform, expected('waveform'), { ...MODEL, label: 'waveform' });
    half.dispose();
  });

  it('leaves no tensor behind, finished, cancelled or failed', async () => {
    const request = { ...requestOf('short'), steps: 2, returnStages: true };
    await expectNoLeak(async () => {
      await pipeline.run(request, { onPreview: () => {} });
    });
    await expectNoLeak(async () => {
      const abort = new AbortController();
      const onStage = (_: TangoStage, step: number) => step === 1 && abort.abort();
      await expect(pipeline.run(request, { signal: abort.signal, onStage })).rejects.toThrow(
        JobCancelledError,
      );
    });
    await expectNoLeak(async () => {
      const latents = { data: new Float32Array(448).fill(3e38), shape: [1, 4, 28, 4] };
      await expect(pipeline.run({ ...request, latents })).rejects.toThrow(NonFiniteError);
    });
  });
});
