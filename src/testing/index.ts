export { expectNoLeak, forEachBackend, startBackend, type TestBackend } from './backends';
export { expectClose, type Reference, relativeError } from './expect-close';
export { type Fixture, type FixtureTensor, loadFixture, readBlob } from './fixture';
export { expectSameAfterSteps, expectSameDirection } from './gradient-agreement';
export { gpuVariants, testKernel } from './kernel-parity';
export { randomStateDict } from './random-state-dict';
export { tangoAsDiffusers } from './tango-diffusers';
export { type TangoReleased, tangoReleased } from './tango-released';
export { type TinyTango, type TinyTangoRequest, tinyAudioldm, tinyAudioldm2, tinyTango } from './tiny-tango';
