export { compileAhead } from './compile-ahead';
export type { BackendChoice, BackendName, ComputeDevice, DeviceMemory } from './compute-device';
export { openDevice } from './open-device';
export { currentPlatform, type Platform } from './platform';
export { giveIdleBuffersBack } from './webgpu-backend';
