import { useEffect } from 'react';
import { Field } from '../../components/field';
import fieldStyles from '../../components/field.module.css';
import { useEngine, useFineTune, useModels, useSettings, useStudio } from '../../stores/studio-context';

/** The adapter that hangs in the model; nothing is shown where there is none to choose. */
export function AdapterField() {
  const { fineTune } = useStudio();
  const ready = useEngine(({ status }) => status.state === 'ready');
  const runs = useFineTune((state) => state.runs);
  const modelId = useModels((state) => state.current?.id);
  const adapterId = useSettings((state) => state.adapterId);
  const set = useSettings((state) => state.set);
  useEffect(() => {
    if (ready) void fineTune.getState().refresh();
  }, [ready, fineTune]);
  const usable = (runs ?? []).filter(
    (run) => run.modelId === modelId && (run.step > 0 || run.state === 'imported'),
  );
  const known = usable.some(({ id }) => id === adapterId);
  // One that was deleted, or is of another model, is not used in secret.
  useEffect(() => {
    if (runs && modelId !== undefined && adapterId !== '' && !known) set({ adapterId: '' });
  }, [runs, modelId, adapterId, known, set]);
  if (usable.length === 0) return null;
  return (
    <Field id="adapter" label="Adapter">
      <select
        id="adapter"
        className={fieldStyles.input}
        value={known ? adapterId : ''}
        onChange={(event) => set({ adapterId: event.target.value })}
      >
        <option value="">none: the model as it is</option>
        {usable.map(({ id, name }) => (
          <option key={id} value={id}>
            {name}
          </option>
        ))}
      </select>
    </Field>
  );
}
