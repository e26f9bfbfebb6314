import type { ReactNode } from 'react';
import type { AdapterLineage } from '../../engine/protocol-training';
import styles from './lineage-chain.module.css';

/** sound ← adapter ← run ← dataset ← pairs, in one line; or from a model on. */
export function LineageChain({
  made,
  lineage: { run, dataset, pairs, settings },
  children,
}: {
  /** What comes of the run, the last one first: a sound, and the adapter or model that it is made with. */
  readonly made: readonly string[];
  readonly lineage: AdapterLineage;
  /** Behind the line. */
  readonly children?: ReactNode;
}) {
  const links = [
    ...made,
    ...(settings
      ? [
          `run, step ${run.step}`,
          dataset?.name ?? 'pairs of a script',
          pairs ? pairsText(pairs) : 'pairs that are not known',
        ]
      : ['a file that says nothing of its run']),
  ];
  return (
    <p className={styles.chain}>
      {links.map((link, i) => (
        <span key={link}>
          {i > 0 && ' ← '}
          <span className={styles.link}>{link}</span>
        </span>
      ))}
      {children}
    </p>
  );
}

function pairsText({ count, heldOut }: { readonly count: number; readonly heldOut: number }): string {
  return `${count} pairs${heldOut > 0 ? `, ${heldOut} held out` : ''}`;
}
