import '@fontsource-variable/geist';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { createEngineClient, installWindowStudio } from '../engine/client';
import { App } from './app/app';
import { pageStorage } from './stores/page-storage';
import { createEngineMemory, createStudio } from './stores/studio';
import { createWebAudioOutput } from './stores/web-audio-output';
import './theme/tokens.css';
import './theme/base.css';

function eachFrame(tick: () => void): () => void {
  let frame = requestAnimationFrame(function run() {
    tick();
    frame = requestAnimationFrame(run);
  });
  return () => cancelAnimationFrame(frame);
}

const storage = pageStorage();
const memory = createEngineMemory(storage);
const client = createEngineClient({ backend: memory.getState().backend });
installWindowStudio(client);
const studio = createStudio(client, { storage, memory, output: createWebAudioOutput(), eachFrame });

createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <App studio={studio} />
  </StrictMode>,
);
