import { useState } from 'react';
import type { ClapModelSummary } from '../../../engine/protocol-clap';
import { bytesText } from '../../app/model-text';
import { IconButton } from '../../components/button';
import { Icon } from '../../components/icons';
import { RemoveQuestion } from '../../components/remove-question';
import { useClap } from '../../stores/studio-context';
import styles from './models-panel.module.css';

/** The CLAPs that score sounds; each of them scores every take and every pair. */
export function ClapList() {
  const models = useClap((state) => state.models);
  const remove = useClap((state) => state.remove);
  const [removing, setRemoving] = useState<ClapModelSummary | null>(null);
  if (!models) return null;
  return (
    <section className={styles.section} aria-labelledby="clap-heading">
      <h3 id="clap-heading" className={styles.subheading}>
        CLAP: how well a sound fits its prompt
      </h3>
      <ul className={styles.list}>
        {models.map((model) => (
          <li key={model.id} className={styles.model}>
            <div className={styles.words}>
              <p className={styles.name}>
                {model.name}
                <span className={styles.badge}>{model.source}</span>
              </p>
              <p className={styles.facts}>
                {[
                  `${(model.parameterCount / 1e6).toFixed(1)} M parameters`,
                  bytesText(model.bytes),
                  model.license && `licence ${model.license}`,
                ]
                  .filter(Boolean)
                  .join(' · ')}
              </p>
              {model.description && <p className={styles.facts}>{model.description}</p>}
            </div>
            {model.source === 'imported' && (
              <div className={styles.tools}>
                <IconButton label={`Remove ${model.name}`} onClick={() => setRemoving(model)}>
                  <Icon name="trash" />
                </IconButton>
              </div>
            )}
          </li>
        ))}
      </ul>
      {removing && (
        <RemoveQuestion
          name={removing.name}
          onRemove={() => void remove(removing.id)}
          onClose={() => setRemoving(null)}
        >
          Its files are deleted from this browser. Scores that were kept stay.
        </RemoveQuestion>
      )}
    </section>
  );
}
