import { createHash } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import { encodeWav } from '../../audio';
import { MERGED_UNET } from '../../diffusion/checkpoints/tango-released';
import { tangoReleased, tinyTango } from '../../testing';
import { openTinyEngine, type TinyEngine, tinyClip } from '../../testing/tiny-engine';
import { safetensorsBlob } from '../../training/lora/safetensors-blob';
import { openSafetensors } from '../../weights';
import { parseLineage } from '../lineage';
import type { GenerateRequest } from '../protocol';
import type { TrainingPair } from '../protocol-training';
import { readSoundRecord, soundInfo } from '../sound-record';
import { MemoryStore } from './key-value-store';
import { pairsHash } from './lineage';

const tiny = await tinyTango();
const PAIRS: readonly Required<TrainingPair>[] = ['a dog', 'a bell'].map((prompt, i) => ({
  id: `pair ${i}`,
  prompt,
  winner: tinyClip(i + 1, true),
  loser: tinyClip(i + 1, false),
}));
const SOUND = { prompt: 'a dög', steps: 2, seed: 1, durationSeconds: 1 };

const opened: TinyEngine[] = [];
afterEach(() => {
  for (const { host } of opened.splice(0)) host.dispose();
});

async function open(): Promise<TinyEngine['host']> {
  const engine = await openTinyEngine(tiny);
  opened.push(engine);
  return engine.host;
}

async function trained() {
  const host = await open();
  const run = await host.train.start({
    name: 'tones',
    pairs: PAIRS,
    dataset: { id: 'set-1', name: 'töne and noise' },
    rank: 2,
    learningRate: 2e-3,
    pairsPerStep: 2,
    sftEpochs: 0,
    dpoEpochs: 1,
  });
  return { host, run };
}

const originIn = async (blob: Blob) =>
  JSON.parse((await openSafetensors(blob, 'x')).metadata.get('tango_studio')!);

describe('Lineage', () => {
  it('goes from a sound to its pairs, and through a WAV file', async () => {
    const { host, run } = await trained();
    const [sound] = await host.generate({ ...SOUND, adapters: [{ id: run.id, strength: 0.5 }] });
    const lineage = await host.train.lineage(run.id);
    expect(lineage).toMatchObject({
      run: { id: run.id, name: 'tones', step: 1, stepCount: 1 },
      model: run.modelId,
      dataset: { id: 'set-1', name: 'töne and noise' },
      pairs: { count: 2, heldOut: 0, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) },
      settings: { rank: 2, beta: 2000 },
    });
    expect(sound!.lineage).toEqual([lineage]);
    const file = encodeWav([sound!.audio], sound!.sampleRateHz, 'pcm16', soundInfo(sound!));
    const record = readSoundRecord(file)!;
    expect(record.lineage).toEqual([lineage]);
    const [again] = await host.generate(record.parameters as unknown as GenerateRequest);
    expect(again!.audio).toEqual(sound!.audio);
    expect((await host.generate(SOUND))[0]!.lineage).toBeUndefined();
  });

  it('goes through an exported adapter into another browser, its sounds, and out again', async () => {
    const { host, run } = await trained();
    const lineage = await host.train.lineage(run.id);
    const files = await host.train.exportAdapter(run.id);
    for (const { path, blob } of files.filter((file) => file.path.endsWith('.safetensors'))) {
      const origin = await originIn(blob);
      expect(parseLineage(JSON.stringify(origin)), path).toEqual(lineage);
      expect(origin.pairs.list).toEqual(PAIRS.map(({ id, prompt }) => ({ id, prompt })));
    }
    opened.pop();
    host.dispose();

    const other = await open();
    const imported = await other.train.importAdapter(files.slice(0, 2));
    const [sound] = await other.generate({ ...SOUND, adapters: [{ id: imported.id, strength: 1 }] });
    expect(sound!.lineage).toEqual([lineage]);
    const [weights] = await other.train.exportAdapter(imported.id);
    expect(await originIn(weights!.blob)).toEqual(lineage);
  });

  it('goes through a merged UNet into a model of another browser, its list, its sounds and their files', async () => {
    const { host, run } = await trained();
    const lineage = await host.train.lineage(run.id);
    const { path, blob } = await host.train.exportMerged(run.id, 'diffusers');
    const tango = await host.train.exportMerged(run.id, 'tango');
    expect(parseLineage(JSON.stringify(await originIn(tango.blob)))).toEqual(lineage);
    opened.pop();
    host.dispose();

    const models = new MemoryStore();
    const other = await openTinyEngine(tiny, new MemoryStore(), models);
    opened.push(other);
    const files = tiny.files.map((file) => (file.path === path ? { path, blob } : file));
    const merged = await other.host.models.importFiles(files);
    expect(merged.lineage).toEqual(lineage);
    const [sound] = await other.host.generate({ ...SOUND, modelId: merged.id });
    expect(sound!.modelLineage).toEqual(lineage);
    expect(sound!.lineage).toBeUndefined();
    const record = readSoundRecord(encodeWav([sound!.audio], 1600, 'pcm16', soundInfo(sound!)))!;
    expect(record).toMatchObject({ modelLineage: lineage, lineage: [] });
    const [plain] = await other.host.generate(SOUND);
    expect(plain!.modelLineage).toBeUndefined();
    const plainFile = encodeWav([plain!.audio], 1600, 'pcm16', soundInfo(plain!));
    expect(readSoundRecord(plainFile)!.modelLineage).toBeNull();
    opened.pop();
    other.host.dispose();

    // Kept with the model, whose files are written anew.
    const again = await openTinyEngine(tiny, new MemoryStore(), models);
    opened.push(again);
    const listed = (await again.host.models.list()).find(({ id }) => id === merged.id);
    expect(listed?.lineage).toEqual(lineage);
  });

  it('goes through a merged UNet in Tango’s layout, beside the published files of its base', async () => {
    const released = await tangoReleased();
    const engine = await openTinyEngine(released);
    opened.push(engine);
    const { host } = engine;
    const pairs = PAIRS.map((pair, i) => ({
      ...pair,
      winner: tinyClip(i + 1, true, 16_000),
      loser: tinyClip(i + 1, false, 16_000),
    }));
    const run = await host.train.start({
      ...{ name: 'tones', pairs, rank: 2, learningRate: 5e-2 },
      ...{ pairsPerStep: 2, sftEpochs: 0, dpoEpochs: 2 },
    });
    const [base] = await host.generate(SOUND);
    const [tuned] = await host.generate({ ...SOUND, adapters: [{ id: run.id, strength: 1 }] });
    const file = await host.train.exportMerged(run.id, 'tango');
    expect(file.path).toBe(MERGED_UNET);
    const merged = await host.models.importFiles([...released.files, file]);
    expect(merged.lineage).toEqual(await host.train.lineage(run.id));
    const [sound] = await host.generate({ ...SOUND, modelId: merged.id });
    expect(sound!.modelLineage).toEqual(merged.lineage);
    const apart = (a: Float32Array, b: Float32Array): number =>
      a.reduce((most, value, t) => Math.max(most, Math.abs(value - b[t]!)), 0);
    // Two steps change little: float32's last bit of the waveform is half a percent of it.
    expect(apart(sound!.audio, tuned!.audio)).toBeLessThan(2e-2 * apart(base!.audio, tuned!.audio));

    await expect(host.models.importFiles([file])).rejects.toThrow(
      /is a UNet alone.*pytorch_model_main\.bin, pytorch_model_vae\.bin/,
    );
    const stranger = await safetensorsBlob(
      new Map([['vae.x', { shape: [1], data: new Float32Array(1) }]]),
      {},
    );
    await expect(
      host.models.importFiles([...released.files, { path: MERGED_UNET, blob: stranger }]),
    ).rejects.toThrow(/pytorch_model_main\.safetensors should hold unet\.\* only, but has 1 other/);
  });

  it('of files that say nothing of it, or nonsense, is their name', async () => {
    const { host, run } = await trained();
    const file = (await host.train.exportAdapter(run.id))[2]!;
    const contents = await openSafetensors(file.blob, 'x');
    const tensors = new Map<string, { shape: readonly number[]; data: Float32Array }>();
    for (const name of contents.names()) {
      const { shape, bytes } = await contents.read(name);
      tensors.set(name, { shape, data: new Float32Array(bytes.slice().buffer) });
    }
    for (const [i, metadata] of [{}, { tango_studio: '{"run":{"id":3}' }, { tango_studio: '[]' }].entries()) {
      const path = `other-${i}.safetensors`;
      const blob = safetensorsBlob(tensors, metadata as Readonly<Record<string, string>>);
      const imported = await host.train.importAdapter([{ path, blob }]);
      const lineage = await host.train.lineage(imported.id);
      expect(lineage).toMatchObject({
        run: { name: `other-${i}` },
        dataset: null,
        pairs: null,
        settings: null,
      });
    }
  });

  it('knows pairs by the hash of their ids, prompts and sounds', async () => {
    const bytes = (audio: Float32Array) => Buffer.from(audio.buffer, audio.byteOffset, audio.byteLength);
    let expected: Buffer = Buffer.alloc(0);
    for (const { id, prompt, winner, loser } of PAIRS) {
      const hash = createHash('sha256')
        .update(expected)
        .update(JSON.stringify([id, prompt, 1600, 1600]));
      expected = hash.update(bytes(winner.audio)).update(bytes(loser.audio)).digest();
    }
    expect(await pairsHash(PAIRS)).toBe(expected.toString('hex'));
    expect(await pairsHash(PAIRS.toReversed())).not.toBe(expected.toString('hex'));
  });

  it('is nothing in WAV files of other programs', () => {
    const wav = (info: Record<string, string>) => encodeWav([Float32Array.of(0.5)], 8000, 'pcm16', info);
    expect(readSoundRecord(wav({}))).toBeNull();
    expect(readSoundRecord(wav({ ISFT: 'Tango Studio', ICMT: '{' }))).toBeNull();
    expect(readSoundRecord(wav({ ISFT: 'Tango Studio', ICMT: 'null' }))).toBeNull();
  });
});
