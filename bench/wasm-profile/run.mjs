/**
 * `node bench/wasm-profile/run.mjs [runs]`: where one pass of the default UNet spends its time without a GPU, by
 * kernel, on one thread in Node. Prints JSON.
 */
import { readFileSync } from 'node:fs';
import { createServer } from 'vite';

const folder = new URL('../../public/models/default/unet/', import.meta.url);
const server = await createServer({
  configFile: false,
  server: { middlewareMode: true, watch: null },
  appType: 'custom',
  logLevel: 'error',
});
const { profilePass } = await server.ssrLoadModule('/bench/wasm-profile/profile-pass.ts');
const config = JSON.parse(readFileSync(new URL('config.json', folder), 'utf8'));
const weights = new Blob([readFileSync(new URL('diffusion_pytorch_model.safetensors', folder))]);
process.stdout.write(
  `${JSON.stringify(await profilePass(config, weights, Number(process.argv[2] ?? '5')), null, 2)}\n`,
);
await server.close();
