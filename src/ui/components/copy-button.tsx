import { useEffect, useState } from 'react';
import { useView } from '../stores/studio-context';
import { IconButton } from './button';
import { Icon } from './icons';

const SHOWN_MS = 1600;

export interface CopyButtonProps {
  readonly label: string;
  readonly text: () => string;
  readonly size?: 'small' | 'medium';
}

/** Copies a text, and says so for a moment. */
export function CopyButton({ label, text, size = 'medium' }: CopyButtonProps) {
  const [copied, setCopied] = useState(false);
  const announce = useView((state) => state.announce);

  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [copied]);

  async function copy(): Promise<void> {
    try {
      await navigator.clipboard.writeText(text());
      setCopied(true);
      announce('Copied.');
    } catch {
      announce('The browser did not allow copying.');
    }
  }

  return (
    <IconButton label={copied ? 'Copied' : label} size={size} onClick={() => void copy()}>
      {copied ? <Icon name="check" /> : <Icon name="copy" />}
    </IconButton>
  );
}
