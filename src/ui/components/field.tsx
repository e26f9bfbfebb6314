import type { ReactNode } from 'react';
import styles from './field.module.css';

export interface FieldProps {
  /** The id of the control inside; its description and its error take ids from it. */
  readonly id: string;
  readonly label: string;
  /** A few words at the end of the label's line. */
  readonly hint?: string;
  readonly error?: string | undefined;
  readonly children: ReactNode;
}

/** What `aria-describedby` of the control in a `Field` has to be. */
export function describedBy(id: string, has: { hint?: boolean; error?: boolean }): string | undefined {
  return [has.error && `${id}-error`, has.hint && `${id}-hint`].filter(Boolean).join(' ') || undefined;
}

export function Field({ id, label, hint, error, children }: FieldProps) {
  return (
    <div className={styles.field}>
      <div className={styles.top}>
        <label htmlFor={id} className={styles.label}>
          {label}
        </label>
        {hint && (
          <span id={`${id}-hint`} className={styles.hint}>
            {hint}
          </span>
        )}
      </div>
      {children}
      {error && (
        <p id={`${id}-error`} className={styles.error}>
          {error}
        </p>
      )}
    </div>
  );
}
