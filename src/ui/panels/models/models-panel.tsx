import { useEffect, useState } from 'react';
import type { ModelSummary } from '../../../engine/protocol';
import { loadFraction, loadText, modelFacts } from '../../app/model-text';
import { Button, IconButton } from '../../components/button';
import { Icon } from '../../components/icons';
import { LineageChain } from '../../components/lineage-chain';
import { Notice } from '../../components/notice';
import { ProgressBar } from '../../components/progress-bar';
import { RemoveQuestion } from '../../components/remove-question';
import { helpFor } from '../../stores/failure';
import { useEngine, useGenerations, useHub, useModels } from '../../stores/studio-context';
import { AdapterField } from '../generate/adapter-field';
import { Fit } from './fit';
import { HelperLists } from './helper-lists';
import { HubSection } from './hub-section';
import { ImportArea } from './import-area';
import { fitOf } from './model-fit';
import { CheckState, ModelName } from './model-words';
import styles from './models-panel.module.css';
import { StorageMeter } from './storage-meter';

/** The models there are, and ways to get more. */
export function ModelsPanel() {
  const models = useModels((state) => state.models);
  const failure = useModels((state) => state.failure);
  const [removing, setRemoving] = useState<ModelSummary | null>(null);
  const remove = useModels((state) => state.remove);
  const refresh = useModels((state) => state.refresh);
  const added = useModels((state) => state.addedAdapter);
  const refreshHub = useHub((state) => state.refresh);
  const ready = useEngine(({ status }) => status.state === 'ready');
  useEffect(() => {
    if (!ready) return;
    void refresh();
    void refreshHub();
  }, [ready, refresh, refreshHub]);
  return (
    <section className={styles.panel} aria-labelledby="models-heading">
      <h2 id="models-heading" className={styles.heading}>
        Models
      </h2>
      <StorageMeter />
      <ul className={styles.list}>
        {models?.map((model) => (
          <ModelRow key={model.id} model={model} onRemove={() => setRemoving(model)} />
        ))}
      </ul>
      <AdaptersInUse />
      <HelperLists />
      {failure && (
        <Notice kind="error" title={helpFor(failure.code).title}>
          <p className={styles.message}>{failure.message}</p>
          <p>{helpFor(failure.code).whatToDo}</p>
        </Notice>
      )}
      {added && (
        <Notice kind="info" title={`The adapter “${added.name}” was added`}>
          <p>It is for the model in use, and chosen in Generate. Fine-tune lists it with the runs.</p>
        </Notice>
      )}
      <HubSection />
      <section className={styles.section} aria-labelledby="import-heading">
        <h3 id="import-heading" className={styles.subheading}>
          Import files
        </h3>
        <ImportArea />
      </section>
      {removing && (
        <RemoveQuestion
          name={removing.name}
          onRemove={() => void remove(removing.id)}
          onClose={() => setRemoving(null)}
        >
          Its files are deleted from this browser. To use it again you have to import it again.
        </RemoveQuestion>
      )}
    </section>
  );
}

/** LoRAs and runs of the model in use, each at its strength: what Generate uses, and changed without a reload. */
function AdaptersInUse() {
  const current = useModels((state) => state.current);
  if (!current) return null;
  return (
    <section className={styles.section} aria-label={`Adapters of ${current.name}`}>
      <AdapterField />
    </section>
  );
}

function ModelRow({ model, onRemove }: { readonly model: ModelSummary; readonly onRemove: () => void }) {
  const current = useModels((state) => state.current?.id === model.id);
  const job = useModels((state) => state.job);
  const use = useModels((state) => state.use);
  const running = useGenerations((state) => state.runningId !== null);
  const info = useEngine((state) => state.info);
  const hubJob = useHub((state) => state.job);
  const verify = useHub((state) => state.verify);
  const damaged = useHub((state) => state.checks[model.id]);
  const unload = useModels((state) => state.unload);
  const fit = info && fitOf(model, info);
  const checking = hubJob?.kind === 'verify' && hubJob.modelId === model.id ? hubJob : null;
  const loading = job?.kind === 'load' && job.modelId === model.id;
  return (
    <li className={styles.model}>
      <div className={styles.words}>
        <ModelName model={model} />
        <p className={styles.facts}>
          {[modelFacts(model), model.license && `licence ${model.license}`].filter(Boolean).join(' · ')}
        </p>
        {model.description && <p className={styles.facts}>{model.description}</p>}
        {model.lineage && (
          <LineageChain made={[`UNet merged from “${model.lineage.run.name}”`]} lineage={model.lineage} />
        )}
        {fit && <Fit fit={fit} onGpu={info.backend === 'webgpu'} />}
        <CheckState name={model.name} checking={checking} damaged={damaged} />
        {loading && (
          <>
            <ProgressBar label={`Loading ${model.name}`} fraction={loadFraction(job.progress)} />
            <p className={styles.facts}>{loadText(job.progress)}</p>
          </>
        )}
      </div>
      <div className={styles.tools}>
        {current && !loading ? (
          <>
            <span className={styles.current}>In use</span>
            <Button size="small" disabled={job !== null || running} onClick={() => void unload()}>
              Unload
            </Button>
          </>
        ) : (
          <Button size="small" disabled={job !== null || running} onClick={() => void use(model.id)}>
            {loading ? 'Loading…' : 'Use'}
          </Button>
        )}
        {model.source === 'imported' && (
          <Button
            size="small"
            variant="ghost"
            aria-label={`Check ${model.name}`}
            disabled={hubJob !== null}
            onClick={() => void verify(model.id)}
          >
            Check
          </Button>
        )}
        {model.source === 'imported' && (
          <IconButton label={`Remove ${model.name}`} disabled={job !== null || running} onClick={onRemove}>
            <Icon name="trash" />
          </IconButton>
        )}
      </div>
    </li>
  );
}
