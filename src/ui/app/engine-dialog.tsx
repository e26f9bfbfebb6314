import { useEffect } from 'react';
import type { BackendChoice, EngineInfo } from '../../engine/protocol';
import { Dialog } from '../components/dialog';
import { Notice } from '../components/notice';
import { Segmented } from '../components/segmented';
import { useEngine, useGenerations, useView } from '../stores/studio-context';
import { BenchmarkSection } from './benchmark-section';
import styles from './engine-dialog.module.css';
import { backendText, bytesText, threadsText } from './model-text';

const choices: readonly { readonly value: BackendChoice; readonly label: string }[] = [
  { value: 'auto', label: 'Automatic' },
  { value: 'webgpu', label: 'WebGPU' },
  { value: 'wasm', label: 'WebAssembly' },
];

/** What the model runs on, and what that costs. */
export function EngineDialog() {
  const close = useView((state) => state.closeDialog);
  const info = useEngine((state) => state.info);
  const status = useEngine((state) => state.status);
  const switchingTo = useEngine((state) => state.switchingTo);
  const failure = useEngine((state) => state.failure);
  const setBackend = useEngine((state) => state.setBackend);
  const refresh = useEngine((state) => state.refresh);
  const running = useGenerations((state) => state.runningId !== null);

  useEffect(() => {
    if (status.state === 'ready') void refresh();
  }, [status, refresh]);

  return (
    <Dialog title="Engine" onClose={close}>
      <section className={styles.section} aria-labelledby="engine-heading">
        <h3 id="engine-heading" className={styles.heading}>
          {info ? backendText(info) : 'The engine is starting'}
        </h3>
        {info && <p className={styles.reason}>{info.backendReason}</p>}
        <Segmented
          name="backend"
          legend="Run on"
          value={switchingTo ?? info?.backendChoice ?? 'auto'}
          options={choices}
          disabled={switchingTo !== null || running}
          onChange={(choice) => void setBackend(choice)}
        />
        {running && <p className={styles.note}>It can be changed when the generation has ended.</p>}
        {switchingTo && <p className={styles.note}>Moving the model…</p>}
        {failure && (
          <Notice kind="error" title="The backend was not changed">
            <p>{failure.message}</p>
          </Notice>
        )}
        {info && <Facts info={info} />}
      </section>
      <BenchmarkSection />
    </Dialog>
  );
}

function Facts({ info }: { readonly info: EngineInfo }) {
  const { adapter, features, memory, versions, wasm } = info;
  const rows: readonly (readonly [string, string])[] = [
    [
      'Graphics adapter',
      adapter
        ? [adapter.description, adapter.vendor, adapter.architecture].filter(Boolean).join(', ')
        : 'none',
    ],
    ['Features', features.length > 0 ? features.join(', ') : 'none'],
    ['WebAssembly', `${wasm.simd ? 'SIMD' : 'no SIMD'}, ${threadsText(info)}`],
    [
      'Memory',
      info.backend === 'webgpu'
        ? `${bytesText(memory.gpuBytes)} on the GPU, ${bytesText(memory.gpuBytesPeak)} at most`
        : `${bytesText(memory.wasmHeapBytes)} WebAssembly heap`,
    ],
    ['Versions', `Tango Studio ${versions.studio}, TensorFlow.js ${versions.tfjs}`],
  ];
  return (
    <dl className={styles.facts}>
      {rows.map(([term, value]) => (
        <div key={term} className={styles.fact}>
          <dt>{term}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
