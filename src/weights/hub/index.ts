export { downloadChunks, FileChangedError } from './download-chunks';
export { type HubFile, type HubRepository, openHubRepository, resolveUrl } from './hub-repository';
export { DEFAULT_HUB_URL, type HubAccess, hubAccess } from './hub-request';
