import type { SchedulerName } from '../../../engine/protocol';
import { Field } from '../../components/field';
import fieldStyles from '../../components/field.module.css';
import { useSettings } from '../../stores/studio-context';
import { schedulerNames } from './scheduler-names';

const order: readonly SchedulerName[] = ['dpm-solver++', 'ddim', 'ddpm'];

export function SchedulerField() {
  const scheduler = useSettings((state) => state.scheduler);
  const set = useSettings((state) => state.set);
  return (
    <Field id="scheduler" label="Scheduler">
      <select
        id="scheduler"
        className={fieldStyles.input}
        value={scheduler}
        onChange={(event) => {
          const chosen = order.find((name) => name === event.target.value);
          if (chosen) set({ scheduler: chosen });
        }}
      >
        {order.map((name) => (
          <option key={name} value={name}>
            {schedulerNames[name]}
          </option>
        ))}
      </select>
    </Field>
  );
}
