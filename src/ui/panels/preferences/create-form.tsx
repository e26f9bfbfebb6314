import { useRef, useState } from 'react';
import type { CreateDatasetRequest, PreferenceForecast } from '../../../engine/protocol-preferences';
import { CANDIDATE_DEFAULTS } from '../../../preferences/candidates/plan-candidates';
import { parsePromptFile, textPrompts } from '../../../preferences/prompt-pool/parse-prompts';
import { tagPrompt } from '../../../preferences/prompt-pool/tags';
import { STRATEGIES, type Strategy } from '../../../preferences/types';
import { Button } from '../../components/button';
import { Field } from '../../components/field';
import fieldStyles from '../../components/field.module.css';
import { NumberInput } from '../../components/number-input';
import { useStudio } from '../../stores/studio-context';
import { PoolFailure } from './pool-progress';
import styles from './preferences.module.css';
import { PromptClustersSection } from './prompt-clusters';
import { timeText } from './time-text';
import { usePool } from './use-preferences';
import { WrongCaptionsSection } from './wrong-captions';

const STRATEGY_LABELS: Readonly<Record<Strategy, string>> = {
  '1.1': '1.1 · one prompt, several step counts',
  '1.2': '1.2 · one prompt, several seeds',
  '2': '2 · against five wrong captions',
  '3': '3 · against five wrong orders',
};
const EXAMPLES =
  'a dog barks and then a bell rings\nrain falls while a woman speaks\na car passes by before birds chirp';

/** Captions in, strategies and their numbers, what it will cost. */
export function CreateForm() {
  const { preferences, pool } = useStudio();
  const text = usePool((state) => state.text);
  const wrong = usePool((state) => state.wrong);
  const { setText } = pool.getState();
  const [name, setName] = useState('');
  const [strategies, setStrategies] = useState<readonly Strategy[]>(STRATEGIES);
  const [stepList, setStepList] = useState(CANDIDATE_DEFAULTS.stepsOfStrategy11.join(', '));
  const [numbers, setNumbers] = useState({
    clipsOfStrategy12: CANDIDATE_DEFAULTS.clipsOfStrategy12,
    steps: CANDIDATE_DEFAULTS.steps,
    guidanceScale: CANDIDATE_DEFAULTS.guidanceScale,
    durationSeconds: CANDIDATE_DEFAULTS.durationSeconds,
    seed: CANDIDATE_DEFAULTS.seed,
  });
  const [scheduler, setScheduler] = useState(CANDIDATE_DEFAULTS.scheduler);
  const [forecast, setForecast] = useState<PreferenceForecast | null>(null);
  const [message, setMessage] = useState<string | null>(null);
  const file = useRef<HTMLInputElement>(null);
  const { prompts, rejected } = textPrompts(text);
  const sequences = prompts.filter((prompt) => tagPrompt(prompt).sequence).length;
  const request: CreateDatasetRequest = {
    name,
    prompts: prompts.map((prompt) => {
      const written = wrong[prompt];
      return written
        ? { prompt, perturbed: said(written.perturbed), temporal: said(written.temporal) }
        : prompt;
    }),
    strategies,
    stepsOfStrategy11: stepList
      .split(/[\s,;]+/)
      .filter(Boolean)
      .map(Number),
    scheduler,
    ...numbers,
  };

  async function read(chosen: File): Promise<void> {
    try {
      const pool = await parsePromptFile(chosen.name, chosen);
      setText(pool.prompts.join('\n'));
      setMessage(
        `${pool.prompts.length} captions read${pool.rejected.length > 0 ? `, ${pool.rejected.length} left out (row ${pool.rejected[0]!.row}: ${pool.rejected[0]!.reason.replaceAll('-', ' ')})` : ''}.`,
      );
    } catch (error) {
      setMessage(error instanceof Error ? error.message : String(error));
    }
  }

  return (
    <form
      className={styles.form}
      onSubmit={(event) => {
        event.preventDefault();
        void preferences.getState().create(request);
      }}
    >
      <h3>New dataset</h3>
      <Field
        id="dataset-prompts"
        label="Prompts, one a line"
        hint={`${prompts.length} · ${sequences} tell an order`}
      >
        <textarea
          id="dataset-prompts"
          className={fieldStyles.input}
          rows={6}
          placeholder={EXAMPLES}
          value={text}
          onChange={(event) => setText(event.target.value)}
        />
      </Field>
      <div className={styles.row}>
        <Button size="small" onClick={() => file.current?.click()}>
          From a file…
        </Button>
        <span className={styles.quiet}>txt, CSV, JSON lines, parquet</span>
        <input
          ref={file}
          type="file"
          hidden
          aria-label="File of prompts"
          accept=".txt,.csv,.tsv,.json,.jsonl,.ndjson,.parquet"
          onChange={({ currentTarget }) => {
            const [chosen] = currentTarget.files ?? [];
            if (chosen) void read(chosen);
            currentTarget.value = '';
          }}
        />
      </div>
      {(message || rejected.length > 0) && (
        <p className={styles.quiet} role="status">
          {message ?? `${rejected.length} lines are left out: ${rejected[0]!.reason.replaceAll('-', ' ')}.`}
        </p>
      )}
      <PoolFailure />
      {prompts.length > 1 && <PromptClustersSection prompts={prompts} />}
      {prompts.length > 0 && strategies.some((one) => one === '2' || one === '3') && (
        <WrongCaptionsSection prompts={prompts} seed={numbers.seed} />
      )}
      <Field id="dataset-name" label="Name">
        <input
          id="dataset-name"
          className={fieldStyles.input}
          value={name}
          onChange={(event) => setName(event.target.value)}
        />
      </Field>
      <fieldset className={styles.strategies}>
        <legend>Strategies</legend>
        {STRATEGIES.map((strategy) => (
          <label key={strategy}>
            <input
              type="checkbox"
              checked={strategies.includes(strategy)}
              onChange={({ target }) =>
                setStrategies((now) =>
                  STRATEGIES.filter((one) => (one === strategy ? target.checked : now.includes(one))),
                )
              }
            />
            {STRATEGY_LABELS[strategy]}
          </label>
        ))}
      </fieldset>
      <div className={styles.numbers}>
        <Field id="dataset-step-list" label="Steps of 1.1">
          <input
            id="dataset-step-list"
            className={fieldStyles.input}
            value={stepList}
            onChange={(event) => setStepList(event.target.value)}
          />
        </Field>
        {(
          [
            ['clipsOfStrategy12', 'Clips of 1.2'],
            ['steps', 'Steps of 1.2, 2, 3'],
            ['guidanceScale', 'Guidance'],
            ['durationSeconds', 'Seconds'],
            ['seed', 'Seed'],
          ] as const
        ).map(([key, label]) => (
          <Field key={key} id={`dataset-${key}`} label={label}>
            <NumberInput
              id={`dataset-${key}`}
              value={numbers[key]}
              invalid={Number.isNaN(numbers[key])}
              onChange={(value) => setNumbers((now) => ({ ...now, [key]: value }))}
            />
          </Field>
        ))}
        <Field id="dataset-scheduler" label="Scheduler">
          <select
            id="dataset-scheduler"
            className={fieldStyles.input}
            value={scheduler}
            onChange={(event) => setScheduler(event.target.value as typeof scheduler)}
          >
            <option value="ddpm">DDPM (paper)</option>
            <option value="ddim">DDIM</option>
            <option value="dpm-solver++">DPM-Solver++</option>
          </select>
        </Field>
      </div>
      {forecast && (
        <p className={styles.quiet} role="status">
          {forecast.clips} clips, {(forecast.storageBytes / 2 ** 20).toFixed(1)} MB
          {forecast.seconds !== null && `, about ${timeText(forecast.seconds)} at the measured speed`}
        </p>
      )}
      <div className={styles.row}>
        <Button
          disabled={prompts.length === 0}
          onClick={() => void preferences.getState().forecast(request, true).then(setForecast)}
        >
          Forecast
        </Button>
        <Button type="submit" variant="primary" disabled={prompts.length === 0}>
          Create
        </Button>
      </div>
    </form>
  );
}

/** Lines that say something. */
function said(captions: readonly string[]): readonly string[] {
  return captions.map((caption) => caption.trim()).filter(Boolean);
}
