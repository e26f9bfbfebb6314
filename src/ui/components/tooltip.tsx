import { Tooltip as Primitive } from 'radix-ui';
import { createContext, type ReactNode, useContext } from 'react';
import styles from './tooltip.module.css';

export interface TooltipProps {
  readonly label: string;
  readonly shortcut?: string | undefined;
  /** One element that takes a ref and props. */
  readonly children: ReactNode;
}

/** In a modal dialog, which lies above everything else, tooltips would be drawn underneath. */
export const TooltipsHidden = createContext(false);

/** A name on hover and focus. It repeats what the element's own label says; nothing is said here only. */
export function Tooltip({ label, shortcut, children }: TooltipProps) {
  if (useContext(TooltipsHidden)) return children;
  return (
    <Primitive.Root>
      <Primitive.Trigger asChild>{children}</Primitive.Trigger>
      <Primitive.Portal>
        <Primitive.Content className={styles.tooltip} sideOffset={6} collisionPadding={8} aria-hidden="true">
          {label}
          {shortcut && <kbd className={styles.shortcut}>{shortcut}</kbd>}
        </Primitive.Content>
      </Primitive.Portal>
    </Primitive.Root>
  );
}
