/**
 * `node --experimental-wasm-relaxed-simd bench/training/profile.mjs [runs]`: where one step of LoRA training of the default
 * UNet spends its time without a GPU, by kernel, on one thread in Node. Browsers have relaxed SIMD without a flag. Prints
 * JSON.
 */
import { readFileSync } from 'node:fs';
import { loadBundled } from '../node-bundle.mjs';

const folder = new URL('../../public/models/default/unet/', import.meta.url);
const { profileStep } = await loadBundled('bench/training/profile-step.ts');
const config = JSON.parse(readFileSync(new URL('config.json', folder), 'utf8'));
const weights = new Blob([readFileSync(new URL('diffusion_pytorch_model.safetensors', folder))]);
const profile = await profileStep({ config, weights, size: [64, 8] }, Number(process.argv[2] ?? '5'));
process.stdout.write(`${JSON.stringify(profile, null, 2)}\n`);
