import type { TrainSettings, TrainTargets } from '../../../engine/protocol-training';
import { describedBy, Field } from '../../components/field';
import fieldStyles from '../../components/field.module.css';
import { NumberInput } from '../../components/number-input';
import { presetById } from '../../stores/fine-tune-presets';
import { useFineTune, useStudio } from '../../stores/studio-context';
import styles from './setup-form.module.css';
import { fieldGroups, type TrainingField } from './training-fields';

const targetNames: Readonly<Record<TrainTargets, string>> = {
  attention: 'attention: to_q, to_k, to_v, to_out.0',
  'attention-and-feed-forward': 'attention and feed-forward',
  'attention-and-convolutions': 'attention and convolutions',
  'attention-feed-forward-and-convolutions': 'attention, feed-forward and convolutions',
};

type Errors = Partial<Record<keyof TrainSettings, string>>;

/** Every number of a run, with its unit, range and the paper's value. */
export function AdvancedFields({ errors }: { readonly errors: Errors }) {
  const { fineTune } = useStudio();
  const { trains, targets, recompute } = useFineTune((state) => state.draft.settings);
  const { changeSettings } = fineTune.getState();
  return (
    <div className={styles.groups}>
      <section className={styles.group} aria-label="What is trained">
        <Field id="trains" label="What is trained">
          <select
            id="trains"
            className={fieldStyles.input}
            value={trains}
            onChange={({ target }) => changeSettings({ trains: target.value as TrainSettings['trains'] })}
          >
            <option value="lora">A LoRA beside the frozen UNet</option>
            <option value="unet">The whole UNet, as in the paper</option>
          </select>
        </Field>
      </section>
      {fieldGroups
        .filter(({ label }) => trains === 'lora' || label !== 'Adapter')
        .map(({ label, fields }) => (
          <section key={label} className={styles.group} aria-label={label}>
            <h3 className={styles.groupName}>{label}</h3>
            <div className={styles.pair}>
              {fields.map((field) => (
                <TrainingNumber key={field.key} field={field} error={errors[field.key]} />
              ))}
            </div>
            {label === 'Schedule' && (
              <p className={styles.note}>
                β in Tango 2’s convention, −log σ(−½ β …): its 2000 are 1000 of diffusers’{' '}
                <code>beta_dpo</code>, which is written without the ½. Errors are means over a sample’s
                elements.
              </p>
            )}
            {label === 'Adapter' && (
              <Field id="targets" label="Layers">
                <select
                  id="targets"
                  className={fieldStyles.input}
                  value={targets}
                  onChange={(event) => changeSettings({ targets: event.target.value as TrainTargets })}
                >
                  {(Object.keys(targetNames) as TrainTargets[]).map((name) => (
                    <option key={name} value={name}>
                      {targetNames[name]}
                    </option>
                  ))}
                </select>
              </Field>
            )}
            {label === 'Batches' && (
              <label className={styles.toggle}>
                <input
                  type="checkbox"
                  checked={recompute}
                  onChange={(event) => changeSettings({ recompute: event.target.checked })}
                />
                Compute activations again in the backward pass: less memory, more time, the same result
              </label>
            )}
          </section>
        ))}
    </div>
  );
}

/** What a field says of its range and default. */
function rangeOf({ key, min, max }: TrainingField): string {
  const short = (value: number): string =>
    Math.abs(value) >= 1e5 || (value !== 0 && Math.abs(value) < 1e-3)
      ? value.toExponential(0)
      : String(value);
  return `${short(min)} to ${short(max)}; default ${short(presetById('paper').settings[key])}`;
}

function TrainingNumber({
  field,
  error,
}: {
  readonly field: TrainingField;
  readonly error: string | undefined;
}) {
  const { fineTune } = useStudio();
  const value = useFineTune((state) => state.draft.settings[field.key]);
  const id = `train-${field.key}`;
  return (
    <div title={rangeOf(field)}>
      <Field id={id} label={field.label} hint={field.hint} error={error}>
        <NumberInput
          id={id}
          value={value}
          invalid={error !== undefined}
          inputMode={field.whole ? 'numeric' : 'decimal'}
          describedBy={describedBy(id, { hint: true, error: error !== undefined })}
          onChange={(next) => fineTune.getState().changeSettings({ [field.key]: next })}
        />
        <span className="visually-hidden">{rangeOf(field)}</span>
      </Field>
    </div>
  );
}
