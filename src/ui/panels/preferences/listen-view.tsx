import { useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { raterReports } from '../../../preferences/votes/agreement';
import type { Choice, VoteReason } from '../../../preferences/votes/vote';
import { VOTE_REASONS } from '../../../preferences/votes/vote';
import { shortcutText } from '../../app/shortcut-text';
import { useViewShortcuts } from '../../app/use-shortcuts';
import { type ViewShortcutId, viewShortcut } from '../../app/view-shortcuts';
import { Button } from '../../components/button';
import fieldStyles from '../../components/field.module.css';
import { Notice } from '../../components/notice';
import { useStudio } from '../../stores/studio-context';
import { PairSoundsView } from './pair-sounds-view';
import styles from './preferences.module.css';
import { nextInQueue, type PairRow, QUEUE_LABELS, QUEUES, type QueueName, queueOf } from './queue';
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
  /** Counts the votes: a queue of one pair shows it again. */
  const [round, setRound] = useState(0);
  const heard = useRef({ a: 0, b: 0 });
  const votedOn = useRef<typeof heard.current | null>(null);
  const [mayVote, setMayVote] = useState(false);
  const waiting = useMemo(() => queueOf(queue, rows, votes, rater), [queue, rows, votes, rater]);

  const counts = useMemo(
    () => new Map(QUEUES.map((name) => [name, queueOf(name, rows, votes, rater).length])),
    [rows, votes, rater],
  );

  const next = useCallback(
    (votedId: string): void => {
      const own = votes.filter((vote) => vote.rater === rater && !vote.repeat && vote.choice !== 'skip');
      const again = own.length > 0 && own.length % REPEAT_EVERY === REPEAT_EVERY - 1;
      const old = again ? own[Math.floor(Math.random() * own.length)]!.pairId : null;
      setRepeat(old !== null);
      setShownId(old ?? nextInQueue(waiting, votedId));
    },
    [votes, rater, waiting],
  );

  const wantedId = chosenId ?? shownId ?? waiting[0]?.pair.id ?? null;
  const row = rows.find(({ pair }) => pair.id === wantedId) ?? null;
  // biome-ignore lint/correctness/useExhaustiveDependencies: a pair that comes up is heard afresh, on sides of its own
  useEffect(() => {
    heard.current = { a: 0, b: 0 };
    setMayVote(false);
    setReasons([]);
    setLeft(Math.random() < 0.5 ? 'a' : 'b');
  }, [wantedId, repeat, round]);

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
      // What was heard decides, not what the last render knew: a second press comes before the next one, and would
      // vote on a pair that it was not meant for.
      const listening = heard.current;
      const wasHeard = Math.min(listening.a, listening.b) >= MUST_HEAR_SECONDS;
      if (!row || rater.trim() === '' || (!wasHeard && answer !== 'skip')) return;
      if (votedOn.current === listening) return;
      votedOn.current = listening;
      const right = left === 'a' ? 'b' : 'a';
      const choice: Choice = answer === 'left' ? left : answer === 'right' ? right : answer;
      const kept = await studio.preferences.getState().vote({
        pairId: row.pair.id,
        rater,
        choice,
        left,
        reasons,
        heardSeconds: { ...listening },
        repeat,
      });
      if (!kept) {
        votedOn.current = null;
        return;
      }
      setRound((count) => count + 1);
      onDone();
      next(row.pair.id);
    },
    [row, rater, left, reasons, repeat, studio, onDone, next],
  );
  const undo = useCallback(async (): Promise<void> => {
    const undone = await studio.preferences.getState().undoVote(rater);
    if (!undone) return;
    onDone();
    setRepeat(undone.repeat);
    setShownId(undone.pairId);
  }, [studio, rater, onDone]);

  useViewShortcuts({
    'vote-a': () => void vote('left'),
    'vote-b': () => void vote('right'),
    'vote-tie': () => void vote('tie'),
    'vote-both-bad': () => void vote('both-bad'),
    'skip-pair': () => void vote('skip'),
    'undo-vote': () => void undo(),
  });

  const report = useMemo(() => raterReports(votes).find((one) => one.rater === rater), [votes, rater]);
  const undoButton = (
    <Button variant="ghost" disabled={!report} onClick={() => void undo()}>
      Undo <Key of="undo-vote" />
    </Button>
  );
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
                {QUEUE_LABELS[name]} ({counts.get(name)})
              </option>
            ))}
          </select>
        </label>
        {report && (
          <p className={styles.quiet}>
            {report.votes} {report.votes === 1 ? 'vote' : 'votes'}
            {report.consistency !== null &&
              ` · ${Math.round(100 * report.consistency)} % the same when asked again (${report.repeats})`}
            {report.leftShare !== null && ` · left ${Math.round(100 * report.leftShare)} %`}
          </p>
        )}
      </div>
      {!row ? (
        <Notice kind="info" title="Nothing waits in this queue" actions={undoButton}>
          <p>Choose another queue, or a pair in the table.</p>
        </Notice>
      ) : (
        <>
          <h4 className={styles.prompt}>{row.pair.prompt}</h4>
          <PairSoundsView
            key={`${row.pair.id} ${left} ${round}`}
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
              A is better <Key of="vote-a" />
            </Button>
            <Button disabled={!mayVote} onClick={() => void vote('tie')}>
              Tie <Key of="vote-tie" />
            </Button>
            <Button disabled={!mayVote} onClick={() => void vote('both-bad')}>
              Both bad <Key of="vote-both-bad" />
            </Button>
            <Button variant="primary" disabled={!mayVote} onClick={() => void vote('right')}>
              B is better <Key of="vote-b" />
            </Button>
            <Button variant="ghost" onClick={() => void vote('skip')}>
              Skip <Key of="skip-pair" />
            </Button>
            {undoButton}
          </div>
          <p className={styles.quiet} aria-live="polite">
            {mayVote
              ? 'Both sounds were heard.'
              : `Hear ${MUST_HEAR_SECONDS} s of each sound to vote (keys ${keyOf('hear-a')} and ${keyOf('hear-b')}).`}
          </p>
        </>
      )}
    </div>
  );
}

const keyOf = (id: ViewShortcutId): string => shortcutText(viewShortcut(id).shortcut);

function Key({ of }: { readonly of: ViewShortcutId }) {
  return <kbd>{keyOf(of)}</kbd>;
}

function clipOf({ pair, clapSide }: PairRow, which: 'a' | 'b'): string {
  return (which === clapSide ? pair.winner : pair.loser).clipId;
}
