export { createEngineClient } from './create-engine-client';
export type { ClientModelsApi, EngineClient, EngineClientOptions } from './engine-client';
export { installWindowStudio, type WindowStudio } from './window-studio';
