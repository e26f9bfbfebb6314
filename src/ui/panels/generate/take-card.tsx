import { useAction } from '../../app/use-action';
import { IconButton } from '../../components/button';
import { CopyButton } from '../../components/copy-button';
import { Icon } from '../../components/icons';
import { PannsHear } from '../../components/panns-hear';
import { SoundView } from '../../components/sound-view/sound-view';
import { Tooltip } from '../../components/tooltip';
import type { Take } from '../../stores/generation-store';
import { durationSeconds } from '../../stores/player-store';
import { useGenerations, usePlayer, useStudio } from '../../stores/studio-context';
import { applyTake } from './apply-parameters';
import { downloadTake } from './download-take';
import styles from './take-card.module.css';
import { TakeLineage } from './take-lineage';
import { TakeScores } from './take-scores';

export interface TakeCardProps {
  readonly take: Take;
  readonly takeCount: number;
  /** CLAPs that score it highest of its generation. */
  readonly bestBy: ReadonlySet<string>;
  /** Takes of its generation that have been made. */
  readonly madeCount: number;
}

export function TakeCard({ take, takeCount, bestBy, madeCount }: TakeCardProps) {
  const studio = useStudio();
  const { sound } = take;
  const selected = useGenerations((state) => state.selectedTakeId === take.id);
  const playing = usePlayer((state) => state.playing && state.soundId === take.id);
  const keys = { play: useAction('play-pause').shortcut, download: useAction('download').shortcut };
  const name = takeCount > 1 ? `Take ${take.number}` : 'Take';
  const select = () => studio.generations.getState().select(take.id);

  return (
    <section
      id={`take-${take.id}`}
      className={`${styles.card} ${selected ? styles.selected : ''}`}
      aria-label={`${name}, seed ${sound.seed}${selected ? ', selected' : ''}`}
      onFocus={select}
      onPointerDown={select}
    >
      <div className={styles.bar}>
        <Tooltip label={playing ? 'Pause' : 'Play'} shortcut={keys.play}>
          <button
            type="button"
            className={styles.play}
            aria-label={`${playing ? 'Pause' : 'Play'} ${name}`}
            onClick={() => void studio.player.getState().toggle(sound)}
          >
            {playing ? <Icon name="pause" /> : <Icon name="play" />}
          </button>
        </Tooltip>
        <div className={styles.names}>
          <span className={styles.name}>{name}</span>
          <span className={styles.seed}>
            <span>
              <span className={styles.word}>seed </span>
              {sound.seed}
            </span>
            <CopyButton label="Copy the seed" size="small" text={() => String(sound.seed)} />
          </span>
        </div>
        <Clock take={take} />
        <div className={styles.tools}>
          <IconButton label={`Use the settings of ${name}`} onClick={() => applyTake(studio, take)}>
            <Icon name="reuse" />
          </IconButton>
          <IconButton label="Download WAV" shortcut={keys.download} onClick={() => downloadTake(take)}>
            <Icon name="download" />
          </IconButton>
        </div>
      </div>
      <SoundView sound={sound} name={name} />
      <TakeLineage sound={sound} />
      <TakeScores takeId={take.id} bestBy={bestBy} takeCount={madeCount} />
      <PannsHear sounds={[{ key: take.id, audio: sound.audio, sampleRateHz: sound.sampleRateHz }]} />
    </section>
  );
}

/** Where the playhead is; ten times a second is as often as its last digit changes. */
function Clock({ take }: { readonly take: Take }) {
  const tenths = usePlayer((state) =>
    state.soundId === take.id ? Math.floor(state.positionSeconds * 10) : 0,
  );
  return (
    <span className={styles.time}>
      {(tenths / 10).toFixed(1)} / {durationSeconds(take.sound).toFixed(1)} s
    </span>
  );
}
