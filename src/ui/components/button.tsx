import type { ButtonHTMLAttributes, ReactNode, Ref } from 'react';
import styles from './button.module.css';
import { Tooltip } from './tooltip';

type NativeProps = Omit<ButtonHTMLAttributes<HTMLButtonElement>, 'className'>;

export interface ButtonProps extends NativeProps {
  readonly variant?: 'primary' | 'secondary' | 'ghost' | 'danger';
  readonly size?: 'small' | 'medium' | 'large';
  readonly icon?: ReactNode;
  readonly ref?: Ref<HTMLButtonElement>;
}

export function Button({ variant = 'secondary', size = 'medium', icon, children, ...rest }: ButtonProps) {
  return (
    <button type="button" {...rest} className={`${styles.button} ${styles[variant]} ${styles[size]}`}>
      {icon}
      {children}
    </button>
  );
}

export interface IconButtonProps extends NativeProps {
  /** The button's name, for the tooltip and for screen readers. */
  readonly label: string;
  /** Shown in the tooltip beside the label. */
  readonly shortcut?: string | undefined;
  readonly size?: 'small' | 'medium';
  readonly children: ReactNode;
}

export function IconButton({ label, shortcut, size = 'medium', children, ...rest }: IconButtonProps) {
  return (
    <Tooltip label={label} shortcut={shortcut}>
      <button
        type="button"
        aria-label={label}
        {...rest}
        className={`${styles.iconButton} ${size === 'small' ? styles.iconSmall : ''}`}
      >
        {children}
      </button>
    </Tooltip>
  );
}
