import { useEffect } from 'react';
import { GENERATE_LIMITS } from '../../../engine/protocol-limits';
import { SliderField } from '../../components/slider-field';
import { useEngine, useFineTune, useModels, useSettings, useStudio } from '../../stores/studio-context';
import styles from './adapter-field.module.css';
import { checkStrength } from './validate-settings';

const { min, max } = GENERATE_LIMITS.adapterStrength;
const STEP = 0.05;

/** The adapters that hang in the model, each at its strength; nothing is shown where there is none to choose. */
export function AdapterField() {
  const { fineTune } = useStudio();
  const ready = useEngine(({ status }) => status.state === 'ready');
  const runs = useFineTune((state) => state.runs);
  const modelId = useModels((state) => state.current?.id);
  const adapters = useSettings((state) => state.adapters);
  const set = useSettings((state) => state.set);
  useEffect(() => {
    if (ready) void fineTune.getState().refresh();
  }, [ready, fineTune]);
  const usable = (runs ?? []).filter(
    (run) => run.modelId === modelId && (run.step > 0 || run.state === 'imported'),
  );
  const known = adapters.filter(({ id }) => usable.some((run) => run.id === id));
  // One that was deleted, or is of another model, is not used in secret.
  useEffect(() => {
    if (runs && modelId !== undefined && known.length < adapters.length) set({ adapters: known });
  }, [runs, modelId, adapters, known, set]);
  if (usable.length === 0) return null;

  const setStrength = (id: string, strength: number): void =>
    set({ adapters: known.map((use) => (use.id === id ? { id, strength } : use)) });
  return (
    <fieldset className={styles.adapters}>
      <legend className={styles.legend}>Adapters</legend>
      {usable.map(({ id, name }) => {
        const use = known.find((one) => one.id === id);
        return (
          <div key={id} className={styles.adapter}>
            <label className={styles.name}>
              <input
                type="checkbox"
                checked={use !== undefined}
                disabled={!use && known.length >= GENERATE_LIMITS.adapters}
                onChange={({ target }) =>
                  set({
                    adapters: target.checked
                      ? [...known, { id, strength: 1 }]
                      : known.filter((one) => one.id !== id),
                  })
                }
              />
              {name}
            </label>
            {use && (
              <SliderField
                id={`adapter-${id}`}
                label={`Strength of ${name}`}
                hint="1 as trained"
                error={checkStrength(use.strength)}
                value={use.strength}
                onChange={(strength) => setStrength(id, strength)}
                min={min}
                max={max}
                step={STEP}
              />
            )}
          </div>
        );
      })}
    </fieldset>
  );
}
