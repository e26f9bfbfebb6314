import { useState } from 'react';
import { describedBy, Field } from '../../components/field';
import fieldStyles from '../../components/field.module.css';
import { Icon } from '../../components/icons';
import { useSettings } from '../../stores/studio-context';
import styles from './negative-prompt-field.module.css';

export function NegativePromptField({ error }: { readonly error: string | undefined }) {
  const negativePrompt = useSettings((state) => state.negativePrompt);
  const set = useSettings((state) => state.set);
  // Open from the start when it holds something: what shapes the sound is never out of sight.
  const [open, setOpen] = useState(negativePrompt !== '');
  return (
    <details
      className={styles.disclosure}
      open={open || negativePrompt !== ''}
      onToggle={(event) => setOpen(event.currentTarget.open)}
    >
      <summary className={styles.summary}>
        <Icon name="chevron" size={14} />
        Advanced
      </summary>
      <Field id="negativePrompt" label="Negative prompt" error={error} hint="what to move away from">
        <textarea
          id="negativePrompt"
          className={fieldStyles.input}
          rows={2}
          placeholder="speech, hiss"
          value={negativePrompt}
          aria-invalid={error !== undefined}
          aria-describedby={describedBy('negativePrompt', { hint: true, error: error !== undefined })}
          onChange={(event) => set({ negativePrompt: event.target.value })}
        />
      </Field>
    </details>
  );
}
