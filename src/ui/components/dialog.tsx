import { type ReactNode, useEffect, useId, useRef } from 'react';
import { IconButton } from './button';
import styles from './dialog.module.css';
import { Icon } from './icons';
import { TooltipsHidden } from './tooltip';

export interface DialogProps {
  readonly title: string;
  readonly onClose: () => void;
  readonly children: ReactNode;
  /** An alert dialog asks for a decision: it has no close button, and a press beside it does nothing. */
  readonly alert?: boolean;
}

/**
 * The platform's modal `<dialog>`: it holds the focus, makes the page behind inert, closes on Escape and gives the
 * focus back. (Script-made modals lock scrolling by a `<style>` tag, which the content security policy forbids.)
 * Shown for as long as it is rendered.
 */
export function Dialog({ title, onClose, children, alert = false }: DialogProps) {
  const ref = useRef<HTMLDialogElement>(null);
  const openerRef = useRef<Element | null>(null);
  const titleId = useId();

  useEffect(() => {
    const dialog = ref.current;
    openerRef.current ??= document.activeElement;
    if (dialog && !dialog.open) dialog.showModal();
    return () => {
      if (openerRef.current instanceof HTMLElement) openerRef.current.focus({ preventScroll: true });
    };
  }, []);

  return (
    <dialog
      ref={ref}
      className={`${styles.dialog} ${alert ? styles.alert : ''}`}
      aria-labelledby={titleId}
      role={alert ? 'alertdialog' : undefined}
      closedby={alert ? 'closerequest' : 'any'}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      // Without a press since it opened, browsers close it at once and do not ask.
      onClose={onClose}
    >
      <TooltipsHidden value={true}>
        <div className={styles.content}>
          <header className={styles.header}>
            <h2 id={titleId} className={styles.title}>
              {title}
            </h2>
            {!alert && (
              <IconButton label="Close" size="small" onClick={onClose}>
                <Icon name="close" />
              </IconButton>
            )}
          </header>
          {children}
        </div>
      </TooltipsHidden>
    </dialog>
  );
}
