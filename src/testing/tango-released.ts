import tokenizerJson from '../text/fixtures/byte-level-bpe-tokenizer.json';
import { type Fixture, loadFixture, readBlob } from './fixture';
import type { TinyTangoRequest } from './tiny-tango';

export interface TangoReleased {
  /** Flat, as a person downloads them. */
  readonly files: readonly { path: string; blob: Blob }[];
  /** PyTorch's text_states, latents, mel and waveform. */
  readonly fixture: Fixture;
  readonly request: TinyTangoRequest & { readonly prompt: string };
}

const URLS: Readonly<Record<string, URL>> = {
  'pytorch_model_main.bin': new URL('./fixtures/tango-released/pytorch_model_main.bin', import.meta.url),
  'pytorch_model_vae.bin': new URL('./fixtures/tango-released/pytorch_model_vae.bin', import.meta.url),
  'pytorch_model_stft.bin': new URL('./fixtures/tango-released/pytorch_model_stft.bin', import.meta.url),
  'main_config.json': new URL('./fixtures/tango-released/main_config.json', import.meta.url),
  'vae_config.json': new URL('./fixtures/tango-released/vae_config.json', import.meta.url),
  'stft_config.json': new URL('./fixtures/tango-released/stft_config.json', import.meta.url),
  'diffusion_model_config.json': new URL(
    './fixtures/tango-released/diffusion_model_config.json',
    import.meta.url,
  ),
};

/** A tiny Tango in the layout of the published files (tools/fixtures/tango_released.py): 16 kHz, 64 mel bins. */
export async function tangoReleased(): Promise<TangoReleased> {
  const fixture = await loadFixture(
    new URL('./fixtures/tango-released/reference.safetensors', import.meta.url),
  );
  const files = await Promise.all(
    Object.entries(URLS).map(async ([path, url]) => ({ path, blob: await readBlob(url) })),
  );
  const tokenizer = [
    { path: 'tokenizer.json', blob: new Blob([JSON.stringify(tokenizerJson)]) },
    {
      path: 'tokenizer_config.json',
      blob: new Blob([JSON.stringify({ model_max_length: 512, pad_token: '<pad>' })]),
    },
  ];
  return {
    files: [...files, ...tokenizer],
    fixture,
    request: { prompt: fixture.metadata('prompt'), ...fixture.metadata<TinyTangoRequest>('request') },
  };
}
