/**
 * The WebGPU adapter that Dawn for Node finds. `node tools/scripts/dawn.mjs` prints it as JSON: `null`, or its
 * description and features.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const LLVMPIPE = ['lvp_icd.json', 'lvp_icd.x86_64.json', 'lvp_icd.aarch64.json'].map((name) =>
  join('/usr/share/vulkan/icd.d', name),
);

/**
 * The environment in which Vulkan gives an adapter: llvmpipe where it is installed, so that every machine tests the
 * same one, else whatever the system has.
 *
 * @returns {Record<string, string>}
 */
export function vulkanEnvironment() {
  const driver = LLVMPIPE.find((path) => existsSync(path));
  return {
    ...(driver && !process.env.VK_ICD_FILENAMES ? { VK_ICD_FILENAMES: driver } : {}),
    ...(process.env.XDG_RUNTIME_DIR ? {} : { XDG_RUNTIME_DIR: mkdtempSync(join(tmpdir(), 'tango-dawn-')) }),
  };
}

/**
 * Whether the half-precision kernels can be tested here. In a process of its own: drivers print and crash as they like.
 *
 * @returns {{ missing?: string }} what is missing and what would bring it
 */
export function halfPrecisionAdapter() {
  const { stdout } = spawnSync(process.execPath, [fileURLToPath(import.meta.url)], { encoding: 'utf8' });
  const found = JSON.parse(stdout?.trim().split('\n').at(-1) || 'null');
  if (found?.features.includes('shader-f16') && found.features.includes('subgroups')) return {};
  const what = found
    ? `${found.description} has no shader-f16 or no subgroups`
    : 'Vulkan has no adapter here';
  return {
    missing: `${what}, so the kernels that read half-precision weights as such were not tested. Mesa's llvmpipe 24 or newer has both: on Debian and Ubuntu the package mesa-vulkan-drivers (Debian 12: of its backports).`,
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  Object.assign(process.env, vulkanEnvironment());
  const { create } = await import('webgpu');
  const adapter = await create([]).requestAdapter();
  const found = adapter && { description: adapter.info.description, features: [...adapter.features] };
  // Vulkan's warnings come before it.
  process.stdout.write(`\n${JSON.stringify(found)}\n`);
  process.exit(0);
}
