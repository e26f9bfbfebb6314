import { Dialog } from '../components/dialog';
import { useAppearance, useView } from '../stores/studio-context';
import { type Action, actions } from './actions';
import styles from './shortcut-sheet.module.css';
import { shortcutKeys } from './shortcut-text';

const groups: readonly Action['group'][] = ['Generate', 'Takes', 'Studio'];

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
              {actions
                .filter((action) => action.group === group)
                .map((action) => (
                  <div key={action.id} className={styles.row}>
                    <dt>{action.label}</dt>
                    <dd>
                      {shortcutKeys(action.shortcut).map((key) => (
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
