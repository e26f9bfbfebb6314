import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { InvalidConfigError, ModelNotFoundError } from '../../common/errors';
import { ParameterRoot } from '../../nn';
import { expectClose, forEachBackend, loadFixture, readBlob } from '../../testing';
import { folderFromFiles, type ModelFolder, openComponentStateDict } from '../../weights';
import { ClapModel } from './clap-model';
import { parseClapConfig } from './config';
import { ClapFeatureExtractor, parseClapFeatureExtractorConfig } from './feature-extractor';
import { CLAP_IGNORED_KEYS } from './key-map';
import { openLaionReleased } from './laion-released';

const PT = new URL('./fixtures/laion-tiny.pt', import.meta.url);
const EXPECTED = new URL('./fixtures/laion-tiny.safetensors', import.meta.url);

async function files(withTokenizer = true): Promise<ModelFolder> {
  const tokenizer = withTokenizer ? [{ path: 'tokenizer.json', blob: new Blob(['{}']) }] : [];
  return folderFromFiles([{ path: '630k-audioset-best.pt', blob: await readBlob(PT) }, ...tokenizer]);
}

forEachBackend('a checkpoint of LAION', () => {
  it('gives the embeddings that laion_clap gives, from the waveform on', async () => {
    const folder = (await openLaionReleased(await files()))!;
    const fixture = await loadFixture(EXPECTED);
    const root = new ParameterRoot();
    const model = new ClapModel(parseClapConfig(await folder.json('config.json')), root.scope);
    await root.load(await openComponentStateDict(folder, ''), { ignoreUnexpected: CLAP_IGNORED_KEYS });
    const extractor = new ClapFeatureExtractor(
      parseClapFeatureExtractorConfig(await folder.json('preprocessor_config.json')),
    );
    const wave = Float32Array.from(fixture.values('wave').data);
    const { data, frames, melBins } = extractor.extract(wave, 48_000);
    const [words, sound] = tf.tidy(() => [
      model.textFeatures(fixture.tensor('input_ids'), fixture.tensor('attention_mask')),
      model.audioFeatures(tf.tensor3d(data, [1, frames, melBins])),
    ]);
    await expectClose(words, fixture.values('text'), { relativeToRms: 1e-3, label: 'text' });
    await expectClose(sound, fixture.values('audio'), { relativeToRms: 1e-3, label: 'audio' });
    tf.dispose([words, sound]);
    root.dispose();
  });
});

describe('openLaionReleased', () => {
  it('asks for RoBERTa’s tokenizer', async () => {
    await expect(openLaionReleased(await files(false))).rejects.toThrow(ModelNotFoundError);
  });

  it('refuses another model’s .pt by what it holds', async () => {
    const other = await readBlob(new URL('../../weights/formats/fixtures/torch-nested.pt', import.meta.url));
    const folder = folderFromFiles([
      { path: 'other.pt', blob: other },
      { path: 'tokenizer.json', blob: new Blob(['{}']) },
    ]);
    await expect(openLaionReleased(folder)).rejects.toThrow(InvalidConfigError);
  });

  it('leaves a transformers folder to others', async () => {
    const folder = folderFromFiles([{ path: 'config.json', blob: new Blob(['{}']) }]);
    expect(await openLaionReleased(folder)).toBeNull();
  });
});
