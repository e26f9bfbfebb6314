import { Slider } from 'radix-ui';
import { describedBy, Field } from './field';
import { NumberInput } from './number-input';
import styles from './slider-field.module.css';

export interface SliderFieldProps {
  readonly id: string;
  readonly label: string;
  readonly hint?: string;
  readonly error?: string | undefined;
  readonly unit?: string;
  readonly value: number;
  readonly onChange: (value: number) => void;
  /** The slider's ends; the number field takes what lies beyond them. */
  readonly min: number;
  readonly max: number;
  readonly step: number;
}

/** A slider for the hand and a number field for the exact value. */
export function SliderField(props: SliderFieldProps) {
  const { id, label, hint, error, unit, value, onChange, min, max, step } = props;
  const onTrack = Number.isFinite(value) ? Math.min(Math.max(value, min), max) : min;
  return (
    <Field id={id} label={label} {...(hint === undefined ? {} : { hint })} error={error}>
      <div className={styles.row}>
        <Slider.Root
          className={styles.slider}
          value={[onTrack]}
          min={min}
          max={max}
          step={step}
          onValueChange={([next]) => {
            if (next !== undefined) onChange(Number(next.toFixed(2)));
          }}
        >
          <Slider.Track className={styles.track}>
            <Slider.Range className={styles.range} />
          </Slider.Track>
          <Slider.Thumb
            className={styles.thumb}
            aria-label={`${label} slider`}
            aria-valuetext={unit ? `${onTrack} ${unit}` : undefined}
          />
        </Slider.Root>
        <div className={styles.number}>
          <NumberInput
            id={id}
            value={value}
            onChange={onChange}
            invalid={error !== undefined}
            describedBy={describedBy(id, { hint: hint !== undefined, error: error !== undefined })}
          />
          {unit && (
            <span className={styles.unit} aria-hidden="true">
              {unit}
            </span>
          )}
        </div>
      </div>
    </Field>
  );
}
