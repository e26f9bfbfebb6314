import { useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { tinykeys } from 'tinykeys';
import { raterReports } from '../../../preferences/votes/agreement';
import type { Choice, VoteReason } from '../../../preferences/votes/vote';
import { VOTE_REASONS } from '../../../preferences/votes/vote';
import { shortcutText } from '../../app/shortcut-text';
import { Button } from '../../components/button';
import fieldStyles from '../../components/field.module.css';
import { Notice } from '../../components/notice';
import { useStudio } from '../../stores/studio-context';
import { LISTEN_KEYS } from './listen-keys';
import { PairSoundsView } from './pair-sounds-view';
import styles from './preferences.module.css';
import { type PairRow, QUEUE_LABELS, QUEUES, type QueueName, queueOf } from './queue';
import { usePreferences } from './use-preferences';

/** One in this many pairs is one that the rater has answered before. */
const REPEAT_EVERY = 10;
/** Seconds of each sound that have to be heard before a vote counts. */
export const MUST_HEAR_SECONDS = 1;
const REASON_LABELS: Readonly<Record<VoteReason, string>> = {
  prompt: 'fits the prompt',
  order: 'right order',
  quality: 'sounds better',
  noise: 'less noise',
  other: 'other',
};

export interface ListenViewProps {
  readonly rows: readonly PairRow[];
  /** A pair that was chosen in the table; null: the queue decides. */
  readonly chosenId: string | null;
  readonly onDone: () => void;
}

/** Blind voting: sides at random, both have to be heard, one key an answer. */
export function ListenView({ rows, chosenId, onDone }: ListenViewProps) {
  const studio = useStudio();
  const votes = usePreferences((state) => state.votes);
  const [rater, setRater] = useState('me');
  const [queue, setQueue] = useState<QueueName>('pending');
  const [reasons, setReasons] = useState<readonly VoteReason[]>([]);
  const [shownId, setShownId] = useState<string | null>(null);
  const [repeat, setRepeat] = useState(false);
  const [left, setLeft] = useState<'a' | 'b'>('a');
  const heard = useRef({ a: 0, b: 0 });
  const [mayVote, setMayVote] = useState(false);
  const waiting = useMemo(() => queueOf(queue, rows, votes, rater), [queue, rows, votes, rater]);

  const next = useCallback((): void => {
    const own = votes.filter((vote) => vote.rater === rater && !vote.repeat && vote.choice !== 'skip');
    const again = own.length > 0 && own.length % REPEAT_EVERY === REPEAT_EVERY - 1;
    const old = again ? own[Math.floor(Math.random() * own.length)]!.pairId : null;
    setRepeat(old !== null);
    setShownId(
      old ?? waiting.find(({ pair }) => pair.id !== shownId)?.pair.id ?? waiting[0]?.pair.id ?? null,
    );
  }, [votes, rater, waiting, shownId]);

  const wantedId = chosenId ?? shownId ?? waiting[0]?.pair.id ?? null;
  const row = rows.find(({ pair }) => pair.id === wantedId) ?? null;
  // biome-ignore lint/correctness/useExhaustiveDependencies: a pair that comes up is heard afresh, on sides of its own
  useEffect(() => {
    heard.current = { a: 0, b: 0 };
    setMayVote(false);
    setReasons([]);
    setLeft(Math.random() < 0.5 ? 'a' : 'b');
  }, [wantedId, repeat]);

  const onHeard = useCallback(
    (side: 'left' | 'right', seconds: number): void => {
      const candidate = (side === 'left') === (left === 'a') ? 'a' : 'b';
      heard.current[candidate] += seconds;
      if (Math.min(heard.current.a, heard.current.b) >= MUST_HEAR_SECONDS) setMayVote(true);
    },
    [left],
  );

  const vote = useCallback(
    async (answer: 'left' | 'right' | 'tie' | 'both-bad' | 'skip'): Promise<void> => {
      if (!row || rater.trim() === '' || (!mayVote && answer !== 'skip')) return;
      const right = left === 'a' ? 'b' : 'a';
      const choice: Choice = answer === 'left' ? left : answer === 'right' ? right : answer;
      const heardSeconds = { ...heard.current };
      await studio.preferences
        .getState()
        .vote({ pairId: row.pair.id, rater, choice, left, reasons, heardSeconds, repeat });
      onDone();
      next();
    },
    [row, rater, mayVote, left, reasons, repeat, studio, onDone, next],
  );
  const undo = useCallback(async (): Promise<void> => {
    const undone = await studio.preferences.getState().undoVote(rater);
    if (undone) {
      setRepeat(undone.repeat);
      setShownId(undone.pairId);
    }
  }, [studio, rater]);

  useEffect(() => {
    const key = (run: () => void) => (event: KeyboardEvent) => {
      const { target } = event;
      const takesKeys =
        target instanceof HTMLElement &&
        target.closest('input:not([type="checkbox"]), textarea, select, dialog');
      if (takesKeys || !studio.appearance.getState().singleKeyShortcuts) return;
      event.preventDefault();
      run();
    };
    return tinykeys(window, {
      [LISTEN_KEYS.left.shortcut]: key(() => void vote('left')),
      [LISTEN_KEYS.right.shortcut]: key(() => void vote('right')),
      [LISTEN_KEYS.tie.shortcut]: key(() => void vote('tie')),
      [LISTEN_KEYS.bothBad.shortcut]: key(() => void vote('both-bad')),
      [LISTEN_KEYS.skip.shortcut]: key(() => void vote('skip')),
      [LISTEN_KEYS.undo.shortcut]: key(() => void undo()),
    });
  }, [vote, undo, studio]);

  const report = raterReports(votes).find((one) => one.rater === rater);
  return (
    <div className={styles.listen}>
      <div className={styles.row}>
        <label className={styles.inline}>
          Rater
          <input
            className={fieldStyles.input}
            value={rater}
            onChange={(event) => setRater(event.target.value)}
          />
        </label>
        <label className={styles.inline}>
          Queue
          <select
            className={fieldStyles.input}
            value={queue}
            onChange={(event) => {
              setQueue(event.target.value as QueueName);
              setShownId(null);
              onDone();
            }}
          >
            {QUEUES.map((name) => (
              <option key={name} value={name}>
                {QUEUE_LABELS[name]} ({queueOf(name, rows, votes, rater).length})
              </option>
            ))}
          </select>
        </label>
        {report && (
          <p className={styles.quiet}>
            {report.votes} votes
            {report.consistency !== null &&
              ` · ${Math.round(100 * report.consistency)} % the same when asked again (${report.repeats})`}
            {report.leftShare !== null && ` · left ${Math.round(100 * report.leftShare)} %`}
          </p>
        )}
      </div>
      {!row ? (
        <Notice kind="info" title="Nothing waits in this queue">
          <p>Choose another queue, or a pair in the table.</p>
        </Notice>
      ) : (
        <>
          <h4 className={styles.prompt}>{row.pair.prompt}</h4>
          <PairSoundsView
            key={`${row.pair.id} ${left}`}
            leftId={clipOf(row, left)}
            rightId={clipOf(row, left === 'a' ? 'b' : 'a')}
            onHeard={onHeard}
          />
          <fieldset className={styles.why}>
            <legend className="visually-hidden">Why</legend>
            {VOTE_REASONS.map((reason) => (
              <label key={reason}>
                <input
                  type="checkbox"
                  checked={reasons.includes(reason)}
                  onChange={({ target }) =>
                    setReasons((now) =>
                      target.checked ? [...now, reason] : now.filter((one) => one !== reason),
                    )
                  }
                />
                {REASON_LABELS[reason]}
              </label>
            ))}
          </fieldset>
          <div className={styles.votes}>
            <Button variant="primary" disabled={!mayVote} onClick={() => void vote('left')}>
              <Keyed of={LISTEN_KEYS.left} />
            </Button>
            <Button disabled={!mayVote} onClick={() => void vote('tie')}>
              <Keyed of={LISTEN_KEYS.tie} />
            </Button>
            <Button disabled={!mayVote} onClick={() => void vote('both-bad')}>
              <Keyed of={LISTEN_KEYS.bothBad} />
            </Button>
            <Button variant="primary" disabled={!mayVote} onClick={() => void vote('right')}>
              <Keyed of={LISTEN_KEYS.right} />
            </Button>
            <Button variant="ghost" onClick={() => void vote('skip')}>
              <Keyed of={LISTEN_KEYS.skip} />
            </Button>
            <Button
              variant="ghost"
              disabled={!votes.some((one) => one.rater === rater)}
              onClick={() => void undo()}
            >
              <Keyed of={LISTEN_KEYS.undo} />
            </Button>
          </div>
          <p className={styles.quiet} aria-live="polite">
            {mayVote
              ? 'Both sounds were heard.'
              : `Hear ${MUST_HEAR_SECONDS} s of each sound to vote (keys A and B).`}
          </p>
        </>
      )}
    </div>
  );
}

function Keyed({ of }: { readonly of: (typeof LISTEN_KEYS)[keyof typeof LISTEN_KEYS] }) {
  return (
    <>
      {of.label} <kbd>{shortcutText(of.shortcut)}</kbd>
    </>
  );
}

function clipOf({ pair, clapSide }: PairRow, which: 'a' | 'b'): string {
  return (which === clapSide ? pair.winner : pair.loser).clipId;
}
