import { useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { peakOf } from '../../../audio';
import { useViewShortcuts } from '../../app/use-shortcuts';
import { Button } from '../../components/button';
import { Icon } from '../../components/icons';
import { Notice } from '../../components/notice';
import { PannsHear } from '../../components/panns-hear';
import { Spectrogram } from '../../components/sound-view/spectrogram';
import { Waveform } from '../../components/sound-view/waveform';
import { useStudio } from '../../stores/studio-context';
import { useShownTheme } from '../../theme/use-shown-theme';
import { AbPlayer, type LoopBox, type Side } from './ab-player';
import { DifferenceView } from './difference-view';
import styles from './preferences.module.css';
import { type PairSounds, usePairSounds } from './use-pair-sounds';

export interface PairSoundsViewProps {
  readonly leftId: string;
  readonly rightId: string;
  /** Called while a side sounds, with the seconds since the last call. */
  readonly onHeard: (side: Side, seconds: number) => void;
}

/** Two sounds over each other on one scale, their difference, and a switch between them that keeps the position. */
export function PairSoundsView({ leftId, rightId, onHeard }: PairSoundsViewProps) {
  const { sounds, failure } = usePairSounds(leftId, rightId);
  const { preferences } = useStudio();
  if (failure) {
    return (
      <Notice kind="error" title="A sound of this pair cannot be heard">
        <p>{failure}</p>
      </Notice>
    );
  }
  if (!sounds) return <p className={styles.quiet}>Reading the sounds…</p>;
  const datasetId = preferences.getState().openId;
  return (
    <>
      <Comparison sounds={sounds} onHeard={onHeard} />
      <PannsHear
        sounds={[
          { name: 'A', key: `${datasetId}/${leftId}`, ...sounds.clips.left },
          { name: 'B', key: `${datasetId}/${rightId}`, ...sounds.clips.right },
        ]}
      />
    </>
  );
}

const noTime = (): void => {};

function Comparison({ sounds, onHeard }: { sounds: PairSounds; onHeard: PairSoundsViewProps['onHeard'] }) {
  const studio = useStudio();
  const theme = useShownTheme();
  const [, render] = useState(0);
  const [box, setBox] = useState<LoopBox | null>(null);
  const playheads = useRef<(HTMLDivElement | null)[]>([]);
  const player = useRef<AbPlayer | null>(null);
  const { clips, mels } = sounds;
  const fullHeight = useMemo(
    () => Math.max(peakOf(clips.left.audio), peakOf(clips.right.audio), 0.01),
    [clips],
  );
  const duration = Math.max(
    clips.left.audio.length / clips.left.sampleRateHz,
    clips.right.audio.length / clips.right.sampleRateHz,
  );

  useEffect(() => {
    const made = new AbPlayer(clips, () => render((count) => count + 1));
    player.current = made;
    let frame = 0;
    let last = performance.now();
    const tick = (): void => {
      const now = performance.now();
      if (made.playing) onHeard(made.side, (now - last) / 1000);
      last = now;
      for (const playhead of playheads.current) {
        if (playhead) playhead.style.left = `${(100 * made.positionSeconds) / duration}%`;
      }
      frame = requestAnimationFrame(tick);
    };
    frame = requestAnimationFrame(tick);
    return () => {
      cancelAnimationFrame(frame);
      made.dispose();
    };
  }, [clips, duration, onHeard]);

  const hear = useCallback(
    (side: Side): void => {
      // What plays on another panel's player would sound over it.
      studio.player.getState().pause();
      void player.current?.hear(side);
    },
    [studio],
  );
  useViewShortcuts({
    'hear-a': () => hear('left'),
    'hear-b': () => hear('right'),
    'play-pair': () => hear(player.current?.side ?? 'left'),
  });

  function loop(next: LoopBox | null): void {
    setBox(next);
    void player.current?.setLoop(next);
  }

  return (
    <div className={styles.comparison}>
      {(['left', 'right'] as const).map((side, index) => {
        const letter = side === 'left' ? 'A' : 'B';
        const sounding = player.current?.playing === true && player.current.side === side;
        return (
          <div key={side} className={styles.side}>
            <Button
              variant={sounding ? 'primary' : 'secondary'}
              aria-pressed={sounding}
              icon={<Icon name={sounding ? 'pause' : 'play'} />}
              onClick={() => hear(side)}
            >
              {letter}
            </Button>
            <div className={styles.picture}>
              <Waveform
                key={theme}
                audio={clips[side].audio}
                sampleRateHz={clips[side].sampleRateHz}
                fullHeight={fullHeight}
                onReady={noTime}
              />
              <Spectrogram mel={mels[side]} label={`Spectrogram of ${letter}`} />
              <div
                ref={(element) => {
                  playheads.current[index] = element;
                }}
                className={styles.playhead}
              />
            </div>
          </div>
        );
      })}
      <div className={styles.side}>
        <span className={styles.sideName}>A − B</span>
        <DifferenceView
          left={mels.left}
          right={mels.right}
          durationSeconds={duration}
          maxHz={8000}
          box={box}
          onBox={loop}
        />
      </div>
      <p className={styles.quiet}>
        {box ? (
          <>
            Looping {box.from.toFixed(2)}–{box.to.toFixed(2)} s, {Math.round(box.lowHz)}–
            {Math.round(box.highHz)} Hz.{' '}
            <Button size="small" variant="ghost" onClick={() => loop(null)}>
              Hear all
            </Button>
          </>
        ) : (
          'Both at one loudness. Drag a box on the difference to loop that time and band.'
        )}
      </p>
    </div>
  );
}
