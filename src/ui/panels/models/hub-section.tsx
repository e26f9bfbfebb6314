import { type FormEvent, useState } from 'react';
import type { HubPlan } from '../../../engine/protocol';
import { bytesText, loadText } from '../../app/model-text';
import { Button } from '../../components/button';
import { Field } from '../../components/field';
import fieldStyles from '../../components/field.module.css';
import { Icon } from '../../components/icons';
import { Notice } from '../../components/notice';
import { ProgressBar } from '../../components/progress-bar';
import { helpFor } from '../../stores/failure';
import { useEngine, useHub } from '../../stores/studio-context';
import { Fit } from './fit';
import { knownModels } from './known-models';
import { fitOfPlan } from './model-fit';
import styles from './models-panel.module.css';

/** Downloads: those under way, the repositories that are known, and any other by its name. */
export function HubSection() {
  const plan = useHub((state) => state.plan);
  const downloads = useHub((state) => state.downloads);
  const failure = useHub((state) => state.failure);
  const begun = downloads.filter(({ id }) => id !== plan?.id);
  return (
    <section className={styles.section} aria-labelledby="hub-heading">
      <h3 id="hub-heading" className={styles.subheading}>
        Download
      </h3>
      {failure && (
        <Notice kind="error" title={helpFor(failure.code).title}>
          <p className={styles.message}>{failure.message}</p>
        </Notice>
      )}
      {(plan !== null || begun.length > 0) && (
        <ul className={styles.list} aria-label="Downloads">
          {begun.map((one) => (
            <DownloadRow key={one.id} plan={one} />
          ))}
          {plan && <DownloadRow plan={plan} />}
        </ul>
      )}
      <KnownList />
      <RepositoryForm />
    </section>
  );
}

function DownloadRow({ plan }: { readonly plan: HubPlan }) {
  const job = useHub((state) => state.job);
  const download = useHub((state) => state.download);
  const stop = useHub((state) => state.stop);
  const discard = useHub((state) => state.discard);
  const dismiss = useHub((state) => state.dismissPlan);
  const info = useEngine((state) => state.info);
  const running = job?.kind === 'download' && job.planId === plan.id ? job : null;
  const loaded = running?.progress?.loadedBytes ?? plan.loadedBytes;
  const begun = plan.loadedBytes > 0 || running !== null;
  return (
    <li className={styles.model}>
      <div className={styles.words}>
        <p className={styles.name}>
          {plan.repo}
          <span className={styles.badge}>{begun ? 'partial' : 'not downloaded'}</span>
        </p>
        <p className={styles.facts}>
          {bytesText(plan.totalBytes)} to download · about {bytesText(plan.memoryBytes)} of memory to run ·
          licence {plan.license ?? 'not given'} · commit {plan.commit.slice(0, 7)}
        </p>
        {info && <Fit fit={fitOfPlan(plan, info)} onGpu={info.backend === 'webgpu'} />}
        {plan.notes.map((note) => (
          <p key={note} className={styles.facts}>
            {note}
          </p>
        ))}
        {begun && (
          <>
            <ProgressBar label={`Downloading ${plan.repo}`} fraction={loaded / plan.totalBytes} />
            <p className={styles.facts}>
              {running?.progress
                ? `${loadText(running.progress)}${etaText(plan, loaded, running.bytesPerSecond)}`
                : `${bytesText(loaded)} of ${bytesText(plan.totalBytes)} are here`}
            </p>
          </>
        )}
      </div>
      <div className={styles.tools}>
        {running ? (
          <Button size="small" icon={<Icon name="pause" />} onClick={stop}>
            Pause
          </Button>
        ) : (
          <>
            <Button
              size="small"
              variant="primary"
              icon={<Icon name="download" />}
              disabled={job !== null}
              onClick={() => void download(plan)}
            >
              {begun ? 'Resume' : 'Download'}
            </Button>
            <Button
              size="small"
              variant="ghost"
              disabled={job !== null}
              onClick={() => {
                if (begun) void discard(plan.id);
                dismiss();
              }}
            >
              {begun ? 'Discard' : 'Cancel'}
            </Button>
          </>
        )}
      </div>
    </li>
  );
}

function etaText(plan: HubPlan, loaded: number, bytesPerSecond: number | null): string {
  if (!bytesPerSecond) return '';
  const seconds = (plan.totalBytes - loaded) / bytesPerSecond;
  const left = seconds < 90 ? `${Math.ceil(seconds)} s` : `${Math.ceil(seconds / 60)} min`;
  return ` · ${bytesText(bytesPerSecond)}/s · ${left} left`;
}

function KnownList() {
  const job = useHub((state) => state.job);
  const inspect = useHub((state) => state.inspect);
  return (
    <>
      {knownModels.map(({ purpose, models }) => (
        <div key={purpose} className={styles.knownGroup}>
          <h4 className={styles.purpose}>{purpose}</h4>
          <ul className={styles.known} aria-label={purpose}>
            {models.map(({ repo, about }) => (
              <li key={repo} className={styles.knownModel}>
                <div className={styles.words}>
                  <p className={styles.knownName}>{repo}</p>
                  <p className={styles.facts}>{about}</p>
                </div>
                <Button
                  size="small"
                  disabled={job !== null}
                  aria-label={`What ${repo} costs`}
                  onClick={() => void inspect({ repo })}
                >
                  What it costs
                </Button>
              </li>
            ))}
          </ul>
        </div>
      ))}
    </>
  );
}

function RepositoryForm() {
  const job = useHub((state) => state.job);
  const inspect = useHub((state) => state.inspect);
  const [repo, setRepo] = useState('');
  const [revision, setRevision] = useState('');
  const [hubUrl, setHubUrl] = useState('');
  const [token, setToken] = useState('');

  function submit(event: FormEvent): void {
    event.preventDefault();
    void inspect({
      repo: repo.trim(),
      ...(revision.trim() ? { revision: revision.trim() } : {}),
      ...(hubUrl.trim() ? { hubUrl: hubUrl.trim() } : {}),
      ...(token ? { token } : {}),
    });
  }

  return (
    <form className={styles.form} onSubmit={submit} autoComplete="off">
      <Field id="hub-repo" label="Another repository" hint="owner/name">
        <div className={styles.repoRow}>
          <input
            id="hub-repo"
            className={fieldStyles.input}
            value={repo}
            spellCheck={false}
            aria-describedby="hub-repo-hint"
            onChange={(event) => setRepo(event.target.value)}
          />
          <Button type="submit" disabled={job !== null || repo.trim() === ''}>
            {job?.kind === 'inspect' ? 'Looking…' : 'What it costs'}
          </Button>
        </div>
      </Field>
      <details className={styles.details}>
        <summary>Revision, another hub, access token</summary>
        <div className={styles.more}>
          <Field id="hub-revision" label="Revision" hint="branch, tag or commit">
            <input
              id="hub-revision"
              className={fieldStyles.input}
              value={revision}
              placeholder="main"
              spellCheck={false}
              aria-describedby="hub-revision-hint"
              onChange={(event) => setRevision(event.target.value)}
            />
          </Field>
          <Field id="hub-url" label="Hub">
            <input
              id="hub-url"
              className={fieldStyles.input}
              value={hubUrl}
              placeholder="https://huggingface.co"
              spellCheck={false}
              onChange={(event) => setHubUrl(event.target.value)}
            />
          </Field>
          <Field id="hub-token" label="Access token" hint="sent to the hub only, kept nowhere">
            <input
              id="hub-token"
              className={fieldStyles.input}
              type="password"
              autoComplete="off"
              value={token}
              aria-describedby="hub-token-hint"
              onChange={(event) => setToken(event.target.value)}
            />
          </Field>
        </div>
      </details>
    </form>
  );
}
