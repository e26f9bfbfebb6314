import { useState } from 'react';
import { Button } from '../../components/button';
import { Field } from '../../components/field';
import fieldStyles from '../../components/field.module.css';
import { Icon } from '../../components/icons';
import { Notice } from '../../components/notice';
import { presets } from '../../stores/fine-tune-presets';
import { useEngine, useFineTune, useModels, useStudio } from '../../stores/studio-context';
import { AdvancedFields } from './advanced-fields';
import { MemoryEstimate } from './memory-estimate';
import styles from './setup-form.module.css';
import { validateTraining } from './training-fields';

/** Everything the next run is made with. */
export function SetupForm() {
  const { fineTune } = useStudio();
  const draft = useFineTune((state) => state.draft);
  const problems = useFineTune((state) => state.problems);
  const busy = useFineTune((state) => state.busy);
  const elsewhere = useFineTune((state) => state.runs?.find((run) => run.elsewhere) ?? null);
  const hasPairs = draft.dataOf !== null || draft.datasetId !== null;
  const model = useModels((state) => state.current);
  const failed = useEngine(({ status }) => status.state === 'failed');
  const [advanced, setAdvanced] = useState(false);
  const errors = validateTraining(draft.settings);
  const [firstError] = Object.values(errors);
  const ready = model !== null && hasPairs && firstError === undefined && !busy && !failed && !elsewhere;

  return (
    <form
      className={styles.form}
      aria-label="What to train"
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        if (ready) void fineTune.getState().start(model);
      }}
    >
      <h2 className={styles.heading}>New run</h2>
      <DatasetField />
      <fieldset className={styles.presets}>
        <legend className={fieldStyles.label}>Recipe</legend>
        {presets.map(({ id, label, description }) => (
          <label key={id} className={styles.preset}>
            <input
              type="radio"
              name="preset"
              checked={draft.preset === id}
              onChange={() => fineTune.getState().applyPreset(id)}
            />
            <span>
              <span className={styles.presetName}>{label}</span>
              <span className={styles.presetText}>{description}</span>
            </span>
          </label>
        ))}
        {draft.preset === null && <p className={styles.presetText}>Changed under Advanced.</p>}
      </fieldset>
      <Field id="run-name" label="Name" hint="optional">
        <input
          id="run-name"
          className={fieldStyles.input}
          value={draft.name}
          aria-describedby="run-name-hint"
          onChange={(event) => fineTune.getState().change({ name: event.target.value })}
        />
      </Field>
      <SamplePrompts />
      <details
        className={styles.advanced}
        open={advanced || firstError !== undefined}
        onToggle={(event) => setAdvanced(event.currentTarget.open)}
      >
        <summary className={styles.summary}>
          <Icon name="chevron" size={14} />
          Advanced
        </summary>
        <AdvancedFields errors={errors} />
      </details>
      <MemoryEstimate valid={firstError === undefined} />
      {problems.length > 0 && !busy && <Problems />}
      {elsewhere && (
        <Notice kind="info" title="Another tab trains">
          <p>
            “{elsewhere.name}” is trained in another tab of this browser. One run at a time: pause it there to
            start one here. Meanwhile you can listen and generate.
          </p>
        </Notice>
      )}
      <Button type="submit" variant="primary" size="large" disabled={!ready}>
        {problems.length > 0 ? 'Leave them out and start' : 'Start training'}
      </Button>
    </form>
  );
}

function DatasetField() {
  const { fineTune } = useStudio();
  const datasets = useFineTune((state) => state.datasets);
  const { datasetId, dataOf } = useFineTune((state) => state.draft);
  const source = useFineTune((state) => state.runs?.find(({ id }) => id === dataOf) ?? null);
  if (!source && datasets?.length === 0) {
    return (
      <Notice kind="info" title="Nothing to learn from yet">
        <p>
          A run needs pairs: two sounds of one prompt, of which one is better. Make a preference dataset
          first; it then stands here.
        </p>
      </Notice>
    );
  }
  return (
    <Field id="run-dataset" label="Preference pairs">
      <select
        id="run-dataset"
        className={fieldStyles.input}
        value={dataOf ? `run:${dataOf}` : (datasetId ?? '')}
        onChange={({ target }) => fineTune.getState().change({ datasetId: target.value, dataOf: null })}
      >
        {source && (
          <option value={`run:${source.id}`}>{`the ${source.pairCount} pairs of “${source.name}”`}</option>
        )}
        {datasets?.map(({ id, name }) => (
          <option key={id} value={id}>
            {name}
          </option>
        ))}
      </select>
    </Field>
  );
}

function SamplePrompts() {
  const { fineTune } = useStudio();
  const prompts = useFineTune((state) => state.draft.settings.samplePrompts);
  const [text, setText] = useState(prompts.join('\n'));
  const shown = lines(text).join('\n') === prompts.join('\n') ? text : prompts.join('\n');
  return (
    <Field id="sample-prompts" label="Prompts to listen to" hint="one a line, up to 8">
      <textarea
        id="sample-prompts"
        className={fieldStyles.input}
        rows={2}
        placeholder="a dog barks and then a bell rings"
        value={shown}
        aria-describedby="sample-prompts-hint"
        onChange={({ target }) => {
          setText(target.value);
          const { changeSettings, change, draft } = fineTune.getState();
          const { preset } = draft;
          changeSettings({ samplePrompts: lines(target.value) });
          change({ preset });
        }}
      />
    </Field>
  );
}

function lines(text: string): readonly string[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .slice(0, 8);
}

const MOST_PROBLEMS = 8;

function Problems() {
  const problems = useFineTune((state) => state.problems);
  return (
    <Notice
      kind="warning"
      title={`${problems.length} ${problems.length === 1 ? 'pair' : 'pairs'} cannot be trained with`}
    >
      <ul className={styles.problems}>
        {problems.slice(0, MOST_PROBLEMS).map(({ id, prompt, problem }) => (
          <li key={id}>
            “{prompt || id}”: {problem}.
          </li>
        ))}
      </ul>
      {problems.length > MOST_PROBLEMS && <p>… and {problems.length - MOST_PROBLEMS} more.</p>}
    </Notice>
  );
}
