import { IconButton } from '../components/button';
import { Icon } from '../components/icons';
import { useView } from '../stores/studio-context';
import { EngineChip } from './engine-chip';
import styles from './header.module.css';
import { panels } from './panels';
import { ThemeToggle } from './theme-toggle';
import { useAction } from './use-action';

export function Header() {
  const shortcuts = useAction('shortcuts');
  const shown = useView((state) => state.panel);
  return (
    <header className={styles.header}>
      <a className={styles.brand} href="./" aria-label="Tango Studio">
        <img src="./icon.svg" width={26} height={26} alt="" />
        <h1 className={styles.name}>Tango Studio</h1>
      </a>
      <nav className={styles.panels} aria-label="Panels">
        {panels.map(({ id, label }) => (
          <a key={id} href={`#${id}`} aria-current={id === shown ? 'page' : undefined}>
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
