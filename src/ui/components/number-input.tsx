import { useState } from 'react';
import styles from './field.module.css';

export interface NumberInputProps {
  readonly id: string;
  /** NaN stands for a field that holds no number. */
  readonly value: number;
  readonly onChange: (value: number) => void;
  readonly invalid: boolean;
  readonly describedBy?: string | undefined;
  readonly inputMode?: 'numeric' | 'decimal';
}

function parse(text: string): number {
  const cleaned = text.trim().replace(',', '.');
  return cleaned === '' ? Number.NaN : Number(cleaned);
}

function show(value: number): string {
  return Number.isNaN(value) ? '' : String(value);
}

/**
 * A number typed as text: nothing is corrected while it is typed, so that the message beside the field can say what
 * is wrong with it. (`type="number"` hides what it cannot parse, and changes under a scrolling wheel.)
 */
export function NumberInput({
  id,
  value,
  onChange,
  invalid,
  describedBy,
  inputMode = 'decimal',
}: NumberInputProps) {
  const [text, setText] = useState(show(value));
  // The value may change from outside (slider, dice, "use these settings"); then the text follows.
  const shown = Object.is(parse(text), value) ? text : show(value);
  return (
    <input
      id={id}
      className={styles.input}
      type="text"
      inputMode={inputMode}
      autoComplete="off"
      spellCheck={false}
      value={shown}
      aria-invalid={invalid}
      aria-describedby={describedBy}
      onChange={(event) => {
        setText(event.target.value);
        onChange(parse(event.target.value));
      }}
    />
  );
}
