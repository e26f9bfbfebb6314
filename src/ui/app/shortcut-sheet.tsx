import { Dialog } from '../components/dialog';
import { useAppearance, useView } from '../stores/studio-context';
import { actions, type Shortcut } from './actions';
import styles from './shortcut-sheet.module.css';
import { shortcutKeys } from './shortcut-text';
import { viewShortcuts } from './view-shortcuts';

const groups: readonly Shortcut['group'][] = ['Generate', 'Takes', 'Listen to pairs', 'Studio'];
const shortcuts = [...actions, ...viewShortcuts];

export function ShortcutSheet() {
  const close = useView((state) => state.closeDialog);
  const singleKeys = useAppearance((state) => state.singleKeyShortcuts);
  const setSingleKeys = useAppearance((state) => state.setSingleKeyShortcuts);
  return (
    <Dialog title="Keyboard shortcuts" onClose={close}>
      <div className={styles.groups}>
        {groups.map((group) => (
          <section key={group} aria-label={group}>
            <h3 className={styles.group}>{group}</h3>
            <dl className={styles.list}>
              {shortcuts
                .filter((one) => one.group === group)
                .map(({ id, label, shortcut }) => (
                  <div key={id} className={styles.row}>
                    <dt>{label}</dt>
                    <dd>
                      {shortcutKeys(shortcut).map((key) => (
                        <kbd key={key} className={styles.key}>
                          {key}
                        </kbd>
                      ))}
                    </dd>
                  </div>
                ))}
            </dl>
          </section>
        ))}
      </div>
      <label className={styles.toggle}>
        <input
          type="checkbox"
          checked={singleKeys}
          onChange={(event) => setSingleKeys(event.target.checked)}
        />
        Shortcuts of a single letter
      </label>
    </Dialog>
  );
}
