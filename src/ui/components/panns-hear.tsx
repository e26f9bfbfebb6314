import { useState } from 'react';
import type { HeardSound } from '../stores/pann-store';
import { usePanns, useStudio } from '../stores/studio-context';
import { Button } from './button';
import styles from './panns-hear.module.css';

export interface PannsHearProps {
  /** The sounds that stand together; each with a name where there are several. */
  readonly sounds: readonly (HeardSound & { readonly name?: string })[];
}

/** What sound events PANNs find in sounds, once a person asks; or where PANNs are to be had. */
export function PannsHear({ sounds }: PannsHearProps) {
  const { panns, view } = useStudio();
  const heard = usePanns((state) => state.heard);
  const waiting = usePanns((state) => state.waiting);
  const failures = usePanns((state) => state.failures);
  const missing = usePanns((state) => state.models?.length === 0);
  const listFailure = usePanns((state) => state.failure);
  const [asked, setAsked] = useState(false);
  const hearing = sounds.some(({ key }) => waiting.has(key));
  const done = sounds.every(({ key }) => heard[key]);

  function hear(): void {
    setAsked(true);
    void panns.getState().hear(sounds);
  }

  return (
    <div className={styles.hear}>
      {sounds.map(({ key, name }) => (
        <div key={key}>
          {heard[key] && (
            <div className={styles.tags}>
              <span>
                {heard[key].modelName} hears{name ? ` in ${name}` : ''}:
              </span>
              <dl className={styles.tags} aria-label={`What PANNs hear${name ? ` in ${name}` : ''}`}>
                {heard[key].tags.map(({ label, probability }) => (
                  <div key={label} className={styles.tag}>
                    <dt>{label}</dt>
                    <dd>{percentText(probability)}</dd>
                  </div>
                ))}
              </dl>
            </div>
          )}
          {failures[key] && (
            <p>
              Not heard{name ? ` (${name})` : ''}: {failures[key].message}
            </p>
          )}
        </div>
      ))}
      {hearing && (
        <p className={styles.waiting} role="status">
          PANNs listen when the engine is free …
          <Button
            size="small"
            variant="ghost"
            onClick={() => panns.getState().cancel(sounds.map(({ key }) => key))}
          >
            Stop listening
          </Button>
        </p>
      )}
      {!hearing && !done && (
        <Button size="small" variant="ghost" onClick={hear}>
          What PANNs hear
        </Button>
      )}
      {asked && !hearing && !done && listFailure && <p>{listFailure.message}</p>}
      {asked && !hearing && !done && missing && (
        <p className={styles.waiting}>
          PANNs name the sound events in a sound. None are here yet.
          <Button size="small" onClick={() => view.getState().showPanel('models')}>
            Get them in Models
          </Button>
        </p>
      )}
    </div>
  );
}

/** "82 %", and "<1 %" for what is there all the same. */
function percentText(probability: number): string {
  const percent = Math.round(100 * probability);
  return percent === 0 ? '<1 %' : `${percent} %`;
}
