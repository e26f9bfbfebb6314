import { useEffect } from 'react';
import { Button } from '../../components/button';
import { Field } from '../../components/field';
import fieldStyles from '../../components/field.module.css';
import { useClap, useEngine, useSentences, useView } from '../../stores/studio-context';
import styles from './preferences.module.css';

export interface EmbeddingChoice {
  readonly id: string;
  readonly name: string;
}

/** What can embed prompts, in the engine's order: sentence embedders that are installed, then the CLAPs' text towers. */
export function useEmbeddingChoices(): readonly EmbeddingChoice[] {
  const sentences = useSentences((state) => state.models);
  const claps = useClap((state) => state.models);
  const refreshSentences = useSentences((state) => state.refresh);
  const refreshClaps = useClap((state) => state.refresh);
  const ready = useEngine(({ status }) => status.state === 'ready');
  useEffect(() => {
    if (!ready) return;
    void refreshSentences();
    void refreshClaps();
  }, [ready, refreshSentences, refreshClaps]);
  return [
    ...(sentences ?? []).map(({ id, name }) => ({ id, name })),
    ...(claps ?? []).map(({ id, name }) => ({ id, name: `CLAP text tower: ${name}` })),
  ];
}

/** What tells which prompts are alike. */
export function EmbeddingsField({
  choices,
  value,
  onChange,
}: {
  readonly choices: readonly EmbeddingChoice[];
  /** Id of the choice; undefined: the first. */
  readonly value: string | undefined;
  readonly onChange: (id: string) => void;
}) {
  const installed = useSentences((state) => state.models?.length);
  const showPanel = useView((state) => state.showPanel);
  return (
    <>
      <Field id="clusters-embeddings" label="Embeddings">
        <select
          id="clusters-embeddings"
          className={fieldStyles.input}
          value={value ?? choices[0]?.id ?? ''}
          onChange={(event) => onChange(event.target.value)}
        >
          {choices.map(({ id, name }) => (
            <option key={id} value={id}>
              {name}
            </option>
          ))}
        </select>
      </Field>
      {installed === 0 && (
        <p className={styles.quiet}>
          The paper embeds with gte-large (Xenova/gte-large), which is not installed: CLAP’s text tower embeds
          until it is.{' '}
          <Button size="small" onClick={() => showPanel('models')}>
            Get it in Models
          </Button>
        </p>
      )}
    </>
  );
}
