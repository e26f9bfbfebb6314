import type { ReactNode } from 'react';
import { Button } from './button';
import { Dialog } from './dialog';
import styles from './remove-question.module.css';

export interface RemoveQuestionProps {
  /** What goes. */
  readonly name: string;
  /** What goes with it, and what stays. */
  readonly children: ReactNode;
  /** The word for it, on the title and on the button. */
  readonly verb?: 'Remove' | 'Delete';
  readonly onRemove: () => void;
  readonly onClose: () => void;
}

/** Asks before something that was kept is deleted. Shown for as long as it is rendered. */
export function RemoveQuestion({ name, children, verb = 'Remove', onRemove, onClose }: RemoveQuestionProps) {
  return (
    <Dialog title={`${verb} ${name}?`} alert onClose={onClose}>
      <p>{children}</p>
      <div className={styles.decision}>
        <Button onClick={onClose}>Keep it</Button>
        <Button
          variant="danger"
          onClick={() => {
            onRemove();
            onClose();
          }}
        >
          {verb}
        </Button>
      </div>
    </Dialog>
  );
}
