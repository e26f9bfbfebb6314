import { type ReactNode, useId, useState } from 'react';
import { useStore } from 'zustand';
import type { StoreApi } from 'zustand/vanilla';
import type { HelperSummary } from '../../../engine/protocol-helpers';
import { Button, IconButton } from '../../components/button';
import { Icon } from '../../components/icons';
import { Notice } from '../../components/notice';
import { RemoveQuestion } from '../../components/remove-question';
import { helpFor } from '../../stores/failure';
import type { HelperModelsState } from '../../stores/helper-models';
import { CheckState, ModelName } from './model-words';
import styles from './models-panel.module.css';

export interface HelperListProps<S extends HelperSummary> {
  readonly store: Pick<StoreApi<HelperModelsState<S>>, 'getState' | 'getInitialState' | 'subscribe'>;
  readonly title: string;
  /** What a model is, in a few words each. */
  readonly facts: (model: S) => readonly string[];
  /** What stays when one is removed. */
  readonly afterwards: string;
  /** Below the list: where others are to be had. */
  readonly children?: ReactNode;
}

/** Models of one kind that help beside the one that makes sounds. They are loaded when they are asked. */
export function HelperList<S extends HelperSummary>({
  store,
  title,
  facts,
  afterwards,
  children,
}: HelperListProps<S>) {
  const models = useStore(store, (state) => state.models);
  const failure = useStore(store, (state) => state.failure);
  const [removing, setRemoving] = useState<S | null>(null);
  const heading = useId();
  if (!models) return null;
  return (
    <section className={styles.section} aria-labelledby={heading}>
      <h3 id={heading} className={styles.subheading}>
        {title}
      </h3>
      {models.length > 0 && (
        <ul className={styles.list}>
          {models.map((model) => (
            <HelperRow
              key={model.id}
              store={store}
              model={model}
              facts={facts}
              onRemove={() => setRemoving(model)}
            />
          ))}
        </ul>
      )}
      {failure && (
        <Notice kind="error" title={helpFor(failure.code).title}>
          <p className={styles.message}>{failure.message}</p>
        </Notice>
      )}
      {children}
      {removing && (
        <RemoveQuestion
          name={removing.name}
          onRemove={() => void store.getState().remove(removing.id)}
          onClose={() => setRemoving(null)}
        >
          Its files are deleted from this browser. {afterwards}
        </RemoveQuestion>
      )}
    </section>
  );
}

interface HelperRowProps<S extends HelperSummary> extends Pick<HelperListProps<S>, 'store' | 'facts'> {
  readonly model: S;
  readonly onRemove: () => void;
}

function HelperRow<S extends HelperSummary>({ store, model, facts, onRemove }: HelperRowProps<S>) {
  const checking = useStore(store, (state) => state.checking);
  const damaged = useStore(store, (state) => state.checks[model.id]);
  const mine = checking?.id === model.id ? checking : null;
  return (
    <li className={styles.model}>
      <div className={styles.words}>
        <ModelName model={model} />
        <p className={styles.facts}>
          {[...facts(model), `licence ${model.license ?? 'not given'}`].join(' · ')}
        </p>
        {model.description && <p className={styles.facts}>{model.description}</p>}
        <CheckState name={model.name} checking={mine} damaged={damaged} />
      </div>
      {(model.loaded || model.source === 'imported') && (
        <div className={styles.tools}>
          {model.loaded && (
            <>
              <span className={styles.current}>In memory</span>
              <Button
                size="small"
                aria-label={`Unload ${model.name}`}
                onClick={() => void store.getState().unload(model.id)}
              >
                Unload
              </Button>
            </>
          )}
          {model.source === 'imported' && (
            <>
              <Button
                size="small"
                variant="ghost"
                aria-label={`Check ${model.name}`}
                disabled={checking !== null}
                onClick={() => void store.getState().verify(model.id)}
              >
                Check
              </Button>
              <IconButton label={`Remove ${model.name}`} disabled={mine !== null} onClick={onRemove}>
                <Icon name="trash" />
              </IconButton>
            </>
          )}
        </div>
      )}
    </li>
  );
}
