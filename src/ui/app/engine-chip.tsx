import type { EngineInfo, EngineStatus } from '../../engine/protocol';
import { Tooltip } from '../components/tooltip';
import { useEngine, useModels } from '../stores/studio-context';
import styles from './engine-chip.module.css';
import { backendText, loadFraction, threadsText } from './model-text';
import { useAction } from './use-action';

type Tone = 'ok' | 'slow' | 'busy' | 'failed';

interface ChipText {
  readonly tone: Tone;
  readonly main: string;
  /** The end of `main`, left out where the chip is narrow. */
  readonly more?: string;
  readonly detail: string;
}

function statusText(status: EngineStatus, info: EngineInfo | null): ChipText {
  switch (status.state) {
    case 'starting':
      return { tone: 'busy', main: 'Starting the engine…', detail: '' };
    case 'restarting':
      return { tone: 'busy', main: 'Restarting the engine…', detail: status.reason };
    case 'failed':
      return { tone: 'failed', main: 'The engine is not running', detail: status.message };
    case 'ready':
      if (!info) return { tone: 'busy', main: 'Starting the engine…', detail: '' };
      return info.backend === 'webgpu'
        ? { tone: 'ok', main: backendText(info), detail: info.backendReason }
        : {
            tone: 'slow',
            main: 'WebAssembly',
            more: `, ${threadsText(info)}`,
            detail: info.backendReason,
          };
  }
}

/** What the model runs on and which model it is, in words; a press opens the details. */
export function EngineChip() {
  const status = useEngine((state) => state.status);
  const info = useEngine((state) => state.info);
  const model = useModels((state) => state.current);
  const job = useModels((state) => state.job);
  const open = useAction('engine');
  const { tone, main, more, detail } = statusText(status, info);

  const fraction = job?.kind === 'load' ? loadFraction(job.progress) : null;
  const loading = `Loading the model${fraction === null ? '…' : ` ${Math.round(fraction * 100)} %`}`;
  const second = job?.kind === 'load' ? loading : model?.name;
  return (
    <Tooltip label={detail || open.label} shortcut={open.shortcut}>
      <button type="button" className={styles.chip} onClick={open.run} aria-haspopup="dialog">
        <span className={`${styles.dot} ${styles[job ? 'busy' : tone]}`} aria-hidden="true" />
        <span className={styles.text}>
          <span className={styles.main}>
            {main}
            {more && <span className={styles.more}>{more}</span>}
            {tone === 'slow' && ' – slower'}
          </span>
          {second && <span className={styles.second}>{second}</span>}
        </span>
      </button>
    </Tooltip>
  );
}
