import { useMemo, useState } from 'react';
import type { PreferenceExportFormat } from '../../../engine/protocol-preferences';
import {
  type ChoiceFilter,
  choosePairs,
  type DatasetView,
  DEFAULT_SHARES,
} from '../../../preferences/selection/choose-pairs';
import { countSplits, type SplitName } from '../../../preferences/splits';
import { Button } from '../../components/button';
import { Dialog } from '../../components/dialog';
import { Field } from '../../components/field';
import fieldStyles from '../../components/field.module.css';
import { NumberInput } from '../../components/number-input';
import { Segmented } from '../../components/segmented';
import styles from './preferences.module.css';
import { usePreferences } from './use-preferences';

const FORMATS: readonly { readonly value: PreferenceExportFormat; readonly label: string }[] = [
  { value: 'parquet', label: 'Parquet' },
  { value: 'folder', label: 'WAV folder' },
  { value: 'jsonl', label: 'JSON lines' },
  { value: 'csv', label: 'CSV' },
];
const FORMAT_NOTES: Readonly<Record<PreferenceExportFormat, string>> = {
  parquet: 'With the sounds. Python’s datasets opens it with Audio columns.',
  folder: 'A zip of chosen_0.wav, reject_0.wav … and captions.jsonl, as Tango 2’s trainer reads it.',
  jsonl: 'Captions, scores, recipes and votes; no sounds.',
  csv: 'Captions, scores and numbers of votes; no sounds.',
};
type VotePolicy = NonNullable<ChoiceFilter['votes']>;
const POLICIES: readonly (readonly [VotePolicy, string])[] = [
  ['overrule', 'Within the bounds, votes over CLAP'],
  ['ignore', 'Within the bounds, without votes'],
  ['only', 'Voted on only'],
];
const SPLITS: readonly (readonly [SplitName, string])[] = [
  ['train', 'Training'],
  ['validation', 'Validation'],
  ['test', 'Test'],
];

export interface ExportDialogProps {
  readonly view: DatasetView;
  readonly onClose: () => void;
  readonly onExport: (format: PreferenceExportFormat, filter: ChoiceFilter) => void;
}

/** What goes out, in which form, and how its prompts are split. */
export function ExportDialog({ view, onClose, onExport }: ExportDialogProps) {
  const groups = usePreferences((state) => state.groups);
  const allVotes = usePreferences((state) => state.votes);
  const [format, setFormat] = useState<PreferenceExportFormat>('parquet');
  const [policy, setPolicy] = useState<VotePolicy>('overrule');
  const [percents, setPercents] = useState({
    validation: 100 * DEFAULT_SHARES.validation,
    test: 100 * DEFAULT_SHARES.test,
  });
  const shares = { validation: percents.validation / 100, test: percents.test / 100 };
  const isPart = (percent: number): boolean => percent >= 0 && percent <= 100;
  const areParts =
    isPart(percents.validation) && isPart(percents.test) && percents.validation + percents.test <= 100;
  const pairs = useMemo(
    () => choosePairs(view, groups, allVotes, { votes: policy }),
    [view, groups, allVotes, policy],
  );
  const { validation, test } = shares;
  const counts = useMemo(() => countSplits(pairs, { validation, test }), [pairs, validation, test]);

  return (
    <Dialog title="Take the chosen pairs away" onClose={onClose}>
      <form
        className={styles.export}
        onSubmit={(event) => {
          event.preventDefault();
          onExport(format, { votes: policy, shares });
        }}
      >
        <Segmented
          name="export-format"
          legend="Format"
          value={format}
          options={FORMATS}
          onChange={setFormat}
        />
        <p className={styles.quiet}>{FORMAT_NOTES[format]}</p>
        <Field id="export-votes" label="Pairs">
          <select
            id="export-votes"
            className={fieldStyles.input}
            value={policy}
            onChange={({ target }) => setPolicy(target.value as VotePolicy)}
          >
            {POLICIES.map(([value, label]) => (
              <option key={value} value={value}>
                {label}
              </option>
            ))}
          </select>
        </Field>
        <div className={styles.numbers}>
          {(['validation', 'test'] as const).map((split) => (
            <Field
              key={split}
              id={`export-${split}`}
              label={split === 'validation' ? 'For validation, %' : 'For testing, %'}
            >
              <NumberInput
                id={`export-${split}`}
                value={percents[split]}
                invalid={!areParts}
                describedBy="export-splits"
                onChange={(value) => setPercents((now) => ({ ...now, [split]: value }))}
              />
            </Field>
          ))}
        </div>
        <div id="export-splits">
          <p className={styles.quiet}>
            {areParts
              ? 'By prompt: all pairs of a prompt are in one split, however it is written.'
              : 'Give parts of 0 to 100 % that leave the rest for training.'}
          </p>
          {areParts && (
            <table className={styles.table}>
              <thead>
                <tr>
                  {['Split', 'Pairs', 'Prompts'].map((name) => (
                    <th key={name} scope="col">
                      {name}
                    </th>
                  ))}
                </tr>
              </thead>
              <tbody>
                {SPLITS.map(([split, label]) => (
                  <tr key={split}>
                    <th scope="row">{label}</th>
                    <td>{counts[split].pairs}</td>
                    <td>{counts[split].prompts}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          )}
        </div>
        {pairs.length === 0 && <p className={styles.quiet}>No pair is chosen in this way.</p>}
        <div className={styles.row}>
          <Button type="submit" variant="primary" disabled={!areParts || pairs.length === 0}>
            Save {pairs.length} {pairs.length === 1 ? 'pair' : 'pairs'}
          </Button>
          <Button onClick={onClose}>Not now</Button>
        </div>
      </form>
    </Dialog>
  );
}
