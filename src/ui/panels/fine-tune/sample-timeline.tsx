import { useState } from 'react';
import type { TrainRun, TrainSample } from '../../../engine/protocol-training';
import { Button } from '../../components/button';
import { Icon } from '../../components/icons';
import { useFineTune, usePlayer, useStudio } from '../../stores/studio-context';
import styles from './run-view.module.css';

const NONE: readonly TrainSample[] = [];

/** Fixed prompts and seeds through the run: base beside adapter, and a slider to hear it change. */
export function SampleTimeline({ run }: { readonly run: TrainRun }) {
  const samples = useFineTune((state) => state.samples[run.id] ?? NONE);
  const prompts = run.settings?.samplePrompts ?? [];
  return (
    <section className={styles.section} aria-labelledby="samples-heading">
      <h3 id="samples-heading" className={styles.sectionName}>
        Samples on the way
      </h3>
      {prompts.length === 0 && (
        <p className={styles.facts}>
          None were asked for. With “Prompts to listen to” a run makes their sounds before its first step and
          every few steps, with the same seeds.
        </p>
      )}
      {prompts.map((prompt) => (
        <PromptTimeline
          key={prompt}
          runId={run.id}
          prompt={prompt}
          samples={samples.filter((one) => one.prompt === prompt)}
        />
      ))}
    </section>
  );
}

interface PromptTimelineProps {
  readonly runId: string;
  readonly prompt: string;
  readonly samples: readonly TrainSample[];
}

function PromptTimeline({ runId, prompt, samples }: PromptTimelineProps) {
  const { player } = useStudio();
  const [chosen, setChosen] = useState<number | null>(null);
  const soundId = usePlayer((state) => (state.playing ? state.soundId : null));
  const at = Math.min(chosen ?? samples.length - 1, samples.length - 1);
  const base = samples[0];
  const sample = samples[at];
  if (!base || !sample) return <p className={styles.facts}>“{prompt}”: not made yet.</p>;
  const idOf = (one: TrainSample): string => `sample-${runId}-${one.prompt}-${one.step}`;
  const play = (one: TrainSample): void => void player.getState().toggle({ ...one, id: idOf(one) });
  const icon = (one: TrainSample) => <Icon name={soundId === idOf(one) ? 'pause' : 'play'} />;
  return (
    <section className={styles.card} aria-label={`Samples of ${prompt}`}>
      <p className={styles.prompt}>{prompt}</p>
      <div className={styles.sample}>
        <Button size="small" icon={icon(base)} onClick={() => play(base)}>
          Base
        </Button>
        <input
          type="range"
          aria-label={`Step of ${prompt}`}
          aria-valuetext={`step ${sample.step}`}
          min={0}
          max={samples.length - 1}
          step={1}
          value={at}
          onChange={({ target }) => {
            const next = samples[Number(target.value)];
            setChosen(Number(target.value));
            if (next)
              void player
                .getState()
                .seek({ ...next, id: idOf(next) }, 0)
                .then(() => play(next));
          }}
        />
        <Button size="small" icon={icon(sample)} onClick={() => play(sample)}>
          Step {sample.step}
        </Button>
      </div>
      <p className={styles.facts}>seed {sample.seed}; move along the run to hear it change</p>
    </section>
  );
}
