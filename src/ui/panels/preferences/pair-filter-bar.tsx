import fieldStyles from '../../components/field.module.css';
import { NumberInput } from '../../components/number-input';
import {
  type PairFilter,
  PLACE_LABELS,
  PLACES,
  type ScoreRange,
  TAG_LABELS,
  TAGS,
  VOTE_LABELS,
  VOTE_STATES,
} from './pair-filter';
import styles from './preferences.module.css';

export interface PairFilterBarProps {
  readonly filter: PairFilter;
  readonly strategies: readonly string[];
  /** Sound events and the pairs that have each. */
  readonly concepts: readonly (readonly [string, number])[];
  readonly onChange: (filter: PairFilter) => void;
}

/** Every condition has to hold. */
export function PairFilterBar({ filter, strategies, concepts, onChange }: PairFilterBarProps) {
  const change = (part: Partial<PairFilter>): void => onChange({ ...filter, ...part });
  return (
    <search className={styles.filters}>
      <input
        className={fieldStyles.input}
        type="search"
        aria-label="Find prompts"
        placeholder="Find prompts"
        value={filter.text}
        onChange={({ target }) => change({ text: target.value })}
      />
      <Choice
        label="Strategy"
        all="All strategies"
        value={filter.strategy}
        options={strategies.map((one) => [one, one])}
        onChange={(strategy) => change({ strategy })}
      />
      <Choice
        label="Kind of prompt"
        all="All kinds of prompt"
        value={filter.tag}
        options={TAGS.map((tag) => [tag, TAG_LABELS[tag]])}
        onChange={(tag) => change({ tag })}
      />
      <Choice
        label="Sound event"
        all="All sound events"
        value={filter.concept}
        options={concepts.map(([name, count]) => [name, `${name} (${count})`])}
        onChange={(concept) => change({ concept })}
      />
      <Choice
        label="Bounds"
        all="In and outside the bounds"
        value={filter.place}
        options={PLACES.map((place) => [place, PLACE_LABELS[place]])}
        onChange={(place) => change({ place })}
      />
      <Choice
        label="Vote"
        all="Voted on or not"
        value={filter.vote}
        options={VOTE_STATES.map((vote) => [vote, VOTE_LABELS[vote]])}
        onChange={(vote) => change({ vote })}
      />
      <Range id="winner" label="Winner" range={filter.winner} onChange={(winner) => change({ winner })} />
      <Range id="delta" label="Δ" range={filter.delta} onChange={(delta) => change({ delta })} />
    </search>
  );
}

interface ChoiceProps<T extends string> {
  readonly label: string;
  /** The words for no condition. */
  readonly all: string;
  readonly value: T | '';
  readonly options: readonly (readonly [T, string])[];
  readonly onChange: (value: T | '') => void;
}

function Choice<T extends string>({ label, all, value, options, onChange }: ChoiceProps<T>) {
  return (
    <select
      className={fieldStyles.input}
      aria-label={label}
      value={value}
      onChange={({ target }) => onChange(target.value as T | '')}
    >
      <option value="">{all}</option>
      {options.map(([option, text]) => (
        <option key={option} value={option}>
          {text}
        </option>
      ))}
    </select>
  );
}

interface RangeProps {
  readonly id: string;
  readonly label: string;
  readonly range: ScoreRange;
  readonly onChange: (range: ScoreRange) => void;
}

function Range({ id, label, range, onChange }: RangeProps) {
  const crossed = range.least > range.most;
  return (
    <fieldset className={styles.range}>
      <legend className="visually-hidden">{label}</legend>
      <label htmlFor={`${id}-least`}>
        {label} <span className="visually-hidden">at least</span>
        <span aria-hidden="true">≥</span>
      </label>
      <NumberInput
        id={`${id}-least`}
        value={range.least}
        invalid={crossed}
        onChange={(least) => onChange({ ...range, least })}
      />
      <label htmlFor={`${id}-most`}>
        <span className="visually-hidden">{label} at most</span>
        <span aria-hidden="true">≤</span>
      </label>
      <NumberInput
        id={`${id}-most`}
        value={range.most}
        invalid={crossed}
        onChange={(most) => onChange({ ...range, most })}
      />
    </fieldset>
  );
}
