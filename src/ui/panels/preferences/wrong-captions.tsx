import { useVirtualizer } from '@tanstack/react-virtual';
import { useRef, useState } from 'react';
import type { PerturbationKind } from '../../../preferences/perturbation/ask-language-model';
import { tagPrompt } from '../../../preferences/prompt-pool/tags';
import { Button } from '../../components/button';
import { Field } from '../../components/field';
import fieldStyles from '../../components/field.module.css';
import { Segmented } from '../../components/segmented';
import { useStudio } from '../../stores/studio-context';
import { PoolProgress } from './pool-progress';
import styles from './preferences.module.css';
import { usePool } from './use-preferences';

const KINDS: readonly { readonly kind: PerturbationKind; readonly label: string }[] = [
  { kind: 'perturbed', label: 'Wrong captions (2)' },
  { kind: 'temporal', label: 'Wrong orders (3)' },
];

export interface WrongCaptionsProps {
  readonly prompts: readonly string[];
  readonly seed: number;
}

/** The captions that the losers of strategies 2 and 3 are made from: written by rules or a language model, then edited. */
export function WrongCaptionsSection({ prompts, seed }: WrongCaptionsProps) {
  const { pool } = useStudio();
  const wrong = usePool((state) => state.wrong);
  const endpoint = usePool((state) => state.endpoint);
  const apiKey = usePool((state) => state.apiKey);
  const busy = usePool((state) => state.work !== null);
  const [by, setBy] = useState<'rules' | 'language-model'>('rules');
  const written = prompts.filter((prompt) => wrong[prompt]);
  const incomplete = prompts.filter((prompt) => {
    const has = wrong[prompt];
    return !has?.perturbed.length || (tagPrompt(prompt).sequence && !has.temporal.length);
  });
  return (
    <details className={styles.fold}>
      <summary>
        Wrong captions of strategies 2 and 3
        {written.length > 0 && ` · ${written.length} of ${prompts.length} written`}
      </summary>
      <p className={styles.quiet}>
        Losers sound like these. Where nothing is written the rules write them when the dataset is created.
      </p>
      <Segmented
        name="wrong-captions-by"
        legend="Written by"
        value={by}
        options={[
          { value: 'rules', label: 'Rules, offline' },
          { value: 'language-model', label: 'A language model' },
        ]}
        onChange={setBy}
      />
      {by === 'language-model' && (
        <>
          <p className={styles.quiet}>
            Any server that speaks OpenAI’s chat completions, one of your own on localhost included. The
            prompts, and nothing else, go there. The key is forgotten when the tab is closed.
          </p>
          <div className={styles.numbers}>
            <Field id="endpoint-url" label="Address">
              <input
                id="endpoint-url"
                className={fieldStyles.input}
                type="url"
                placeholder="http://localhost:11434/v1"
                value={endpoint.baseUrl}
                onChange={({ target }) => pool.getState().setEndpoint({ baseUrl: target.value })}
              />
            </Field>
            <Field id="endpoint-model" label="Model">
              <input
                id="endpoint-model"
                className={fieldStyles.input}
                value={endpoint.model}
                onChange={({ target }) => pool.getState().setEndpoint({ model: target.value })}
              />
            </Field>
            <Field id="endpoint-key" label="API key">
              <input
                id="endpoint-key"
                className={fieldStyles.input}
                type="password"
                autoComplete="off"
                value={apiKey}
                onChange={({ target }) => pool.getState().setEndpoint({ apiKey: target.value })}
              />
            </Field>
          </div>
        </>
      )}
      <div className={styles.row}>
        <Button
          disabled={busy || incomplete.length === 0}
          onClick={() => void pool.getState().write(prompts, by, seed)}
        >
          {written.length > 0 && incomplete.length > 0
            ? `Write the missing ${incomplete.length}`
            : 'Write them'}
        </Button>
        {written.length > 0 && (
          <Button disabled={busy} onClick={() => pool.getState().clearWrong()}>
            Clear
          </Button>
        )}
      </div>
      <PoolProgress stages={['write']} />
      {written.length > 0 && <Editor prompts={written} />}
    </details>
  );
}

/** One prompt's wrong captions a row, each caption a line; only the rows in sight are in the page. */
function Editor({ prompts }: { readonly prompts: readonly string[] }) {
  const { pool } = useStudio();
  const wrong = usePool((state) => state.wrong);
  const scroller = useRef<HTMLUListElement>(null);
  const virtual = useVirtualizer({
    count: prompts.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => 190,
    overscan: 4,
  });
  return (
    <ul ref={scroller} className={styles.editor} aria-label="Wrong captions by prompt">
      <li aria-hidden="true" style={{ height: virtual.getTotalSize() }} />
      {virtual.getVirtualItems().map(({ index, start }) => {
        const prompt = prompts[index]!;
        return (
          <li
            key={prompt}
            ref={virtual.measureElement}
            data-index={index}
            style={{ transform: `translateY(${start}px)` }}
            className={styles.edited}
          >
            <strong>{prompt}</strong>
            <div className={styles.numbers}>
              {KINDS.filter(({ kind }) => kind === 'perturbed' || tagPrompt(prompt).sequence).map(
                ({ kind, label }) => (
                  <Field key={kind} id={`${kind}-${index}`} label={label}>
                    <textarea
                      id={`${kind}-${index}`}
                      className={fieldStyles.input}
                      rows={5}
                      value={wrong[prompt]?.[kind].join('\n') ?? ''}
                      onChange={({ target }) =>
                        pool
                          .getState()
                          .edit(prompt, kind, target.value === '' ? [] : target.value.split('\n'))
                      }
                    />
                  </Field>
                ),
              )}
            </div>
          </li>
        );
      })}
    </ul>
  );
}
