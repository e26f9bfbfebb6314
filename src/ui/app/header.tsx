import { IconButton } from '../components/button';
import { Icon } from '../components/icons';
import { EngineChip } from './engine-chip';
import styles from './header.module.css';
import { ThemeToggle } from './theme-toggle';
import { useAction } from './use-action';

/** Panels of the studio; each becomes a tab when it exists. */
const panels = [{ id: 'generate', label: 'Generate' }] as const;

export function Header() {
  const shortcuts = useAction('shortcuts');
  return (
    <header className={styles.header}>
      <a className={styles.brand} href="./" aria-label="Tango Studio">
        <img src="./icon.svg" width={26} height={26} alt="" />
        <h1 className={styles.name}>Tango Studio</h1>
      </a>
      <nav className={styles.panels} aria-label="Panels">
        {panels.map(({ id, label }) => (
          <a key={id} href={`#${id}`} aria-current="page">
            {label}
          </a>
        ))}
      </nav>
      <div className={styles.tools}>
        <EngineChip />
        <span className={styles.keys}>
          <IconButton label={shortcuts.label} shortcut={shortcuts.shortcut} onClick={shortcuts.run}>
            <Icon name="keyboard" size={18} />
          </IconButton>
        </span>
        <ThemeToggle />
      </div>
    </header>
  );
}
