import { useState } from 'react';
import { PROMPT_FIELD_ID } from '../../app/actions';
import { describedBy, Field } from '../../components/field';
import fieldStyles from '../../components/field.module.css';
import { useSettings, useView } from '../../stores/studio-context';
import { examplePrompts } from './examples';
import styles from './prompt-field.module.css';

export function PromptField({ error }: { readonly error: string | undefined }) {
  const prompt = useSettings((state) => state.prompt);
  const set = useSettings((state) => state.set);
  return (
    <div className={styles.group}>
      <Field id={PROMPT_FIELD_ID} label="Prompt" error={error}>
        <textarea
          id={PROMPT_FIELD_ID}
          className={`${fieldStyles.input} ${styles.prompt}`}
          rows={3}
          placeholder="Describe a sound, or several and their order"
          value={prompt}
          aria-invalid={error !== undefined}
          aria-describedby={describedBy(PROMPT_FIELD_ID, { error: error !== undefined })}
          onChange={(event) => set({ prompt: event.target.value })}
        />
      </Field>
      <Examples />
    </div>
  );
}

function Examples() {
  const prompt = useSettings((state) => state.prompt);
  const set = useSettings((state) => state.set);
  const announce = useView((state) => state.announce);
  const [all, setAll] = useState(false);
  return (
    <ul className={`${styles.examples} ${all ? styles.all : ''}`} aria-label="Example prompts">
      {examplePrompts.map((example) => (
        <li key={example}>
          <button
            type="button"
            className={styles.example}
            aria-pressed={example === prompt}
            onClick={() => {
              set({ prompt: example });
              announce(`Prompt: ${example}`);
            }}
          >
            {example}
          </button>
        </li>
      ))}
      <li className={styles.toggle}>
        <button type="button" className={styles.example} aria-expanded={all} onClick={() => setAll(!all)}>
          {all ? 'Fewer' : 'More…'}
        </button>
      </li>
    </ul>
  );
}
