import { type ReactNode, useEffect, useRef } from 'react';
import { Icon } from './icons';
import styles from './notice.module.css';

export interface NoticeProps {
  readonly kind: 'info' | 'warning' | 'error';
  readonly title: string;
  readonly children?: ReactNode;
  readonly actions?: ReactNode;
}

/** A message in the flow of the page. An error comes into sight, is announced at once and can
 * take the focus; the others wait. */
export function Notice({ kind, title, children, actions }: NoticeProps) {
  const ref = useRef<HTMLDivElement>(null);

  useEffect(() => {
    if (kind === 'error') ref.current?.scrollIntoView({ block: 'nearest' });
  }, [kind]);

  const live = kind === 'error' ? ({ role: 'alert', tabIndex: -1 } as const) : ({ role: 'note' } as const);
  return (
    <div ref={ref} className={`${styles.notice} ${styles[kind]}`} {...live}>
      <span className={styles.icon}>
        <Icon name={kind} size={18} />
      </span>
      <div className={styles.body}>
        <p className={styles.title}>{title}</p>
        {children}
        {actions && <div className={styles.actions}>{actions}</div>}
      </div>
    </div>
  );
}
