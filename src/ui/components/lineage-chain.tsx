import type { ReactNode } from 'react';
import type { AdapterLineage } from '../../engine/protocol-training';
import styles from './lineage-chain.module.css';

/** sound ← adapter ← run ← dataset ← pairs, in one line. */
export function LineageChain({
  adapter,
  lineage: { run, dataset, pairs, settings },
  children,
}: {
  readonly adapter: string;
  readonly lineage: AdapterLineage;
  /** Behind the line. */
  readonly children?: ReactNode;
}) {
  const links = [
    'sound',
    adapter,
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
